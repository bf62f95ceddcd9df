"""Client stacks with published browsers: real user agents by their weight, each with its family's TLS fingerprint."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np

from stillwatch.lab.chance import mix
from stillwatch.lab.stacks import RARE, Stacks, own_stacks

_BROWSERS = {"web": "Chromium Browser", "web-firefox": "Mozilla Firefox", "web-safari": "Safari"}
_LIBRARIES = {"python-sdk": "Python", "httpx": "Python", "requests": "Python", "aiohttp": "Python", "go": "GoLang"}
MOST = 400  # user agents of a split: the rest are too rare to be met twice


@cache
def published_stacks(folder: Path, split: str) -> Stacks:
    """The common stacks, browsers by weight, then the rare ones; each split has half of the user agents."""
    own = own_stacks()
    prints = _fingerprints(folder / "ja4_mapping.csv")
    rows: list[tuple[str, str, str, float]] = []
    ours = _agents(folder / "browser_user_agents.json.gz", split)
    share = sum(own.weights[i] for i, name in enumerate(own.names) if name in _BROWSERS) / sum(ours.values())
    for agent, weight in ours.items():
        family = _family(agent)
        rows.append((family, agent, _one(prints[_BROWSERS[family]], agent), weight * share))
    common = len(own.names) - RARE
    for at in range(len(own.names)):
        name, library = own.names[at], _LIBRARIES.get(own.names[at])
        if name in _BROWSERS:
            continue
        known = prints[library] if library and at < common else []
        tls = _one(known, name) if known else own.fingerprints[at]  # one library, one fingerprint
        rows.append((name, own.agents[at], tls, float(own.weights[at])))
    names, agents, fingerprints = (tuple(str(row[at]) for row in rows) for at in range(3))
    return Stacks(names, agents, fingerprints, np.array([row[3] for row in rows]))


def _agents(path: Path, split: str) -> dict[str, float]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = json.load(lines)
    weights: dict[str, float] = defaultdict(float)
    for row in rows:
        weights[row["userAgent"]] += row["weight"]
    ranked = sorted(weights, key=lambda agent: (-weights[agent], agent))
    return {agent: weights[agent] for agent in ranked[split == "report" :: 2][:MOST]}


def _family(agent: str) -> str:
    """Whose TLS a user agent speaks; every browser of a phone by Apple speaks Safari's."""
    if "Firefox/" in agent:
        return "web-firefox"
    return "web" if "Chrome/" in agent else "web-safari"


def _fingerprints(path: Path) -> dict[str, list[str]]:
    """JA4 over TCP with a server name, by application or library."""
    found: dict[str, list[str]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            owner = row["Application"] or row["Library"]
            if owner and row["ja4"].startswith("t13d") and row["ja4"] not in found[owner]:
                found[owner].append(row["ja4"])
    return found


def _one(among: list[str], of: str) -> str:
    return among[int(mix(sum(of.encode()))[0] % np.uint64(len(among)))]
