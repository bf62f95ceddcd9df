"""Which material a traffic is made of, and its use while the traffic is made."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stillwatch.lab import networks, stacks
from stillwatch.lab.material.address_space import published_networks
from stillwatch.lab.material.clients import published_stacks
from stillwatch.lab.material.lengths import Lengths, published_lengths
from stillwatch.lab.material.rates import Rates, published_rates
from stillwatch.lab.published import data_folder
from stillwatch.model import MissingDependency

NEEDED = ("prompts", "traffic", "infra")


@dataclass(frozen=True)
class Material:
    """Everything but words; what is None is our own."""

    name: str = "own"
    networks: networks.Networks | None = None
    stacks: stacks.Stacks | None = None
    rates: Rates | None = None
    lengths: dict[str, Lengths] | None = None  # by kind of work: conv, code
    disposable: tuple[str, ...] = ()
    tail: float = 1.0  # how much heavier the tail of volumes is than in the corpus's own
    sources: tuple[str, ...] = ()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let networks and stacks be this material's, in this context and in those copied from it."""
        marks = networks.IN_USE.set(self.networks), stacks.IN_USE.set(self.stacks)
        try:
            yield
        finally:
            networks.IN_USE.reset(marks[0])
            stacks.IN_USE.reset(marks[1])


OWN = Material()


def settled_name(prompts: str) -> str:
    """`auto` decided: `real` where a folder of published material is at hand, else `own`; other names as they are."""
    if prompts != "auto":
        return prompts
    try:
        folder = data_folder()
    except MissingDependency:
        return "own"
    return "real" if all((folder / name).is_dir() for name in NEEDED) else "own"


def material_of(split: str, prompts: str) -> Material:
    """The material of one split: our own, or published, of which the splits share no source."""
    return _published(data_folder(), split) if prompts == "real" else OWN


@cache
def _published(folder: Path, split: str) -> Material:
    absent = [name for name in NEEDED if not (folder / name).is_dir()]
    if absent:
        raise MissingDependency(f"{folder}: no {' and no '.join(absent)} in it, which --prompts real reads")
    infra, traffic = folder / "infra", folder / "traffic"
    half = "second" if split == "report" else "first"
    return Material(
        "real",
        published_networks(infra, split),
        published_stacks(infra, split),
        published_rates(traffic, split),
        {kind: published_lengths(traffic, split, kind) for kind in ("conv", "code")},
        _disposable(infra / "disposable_email.json.gz", split),
        1.3,  # the busiest hundredth of ordinary accounts then sends about three tenths of their exchanges
        (
            "servegen_m-mid" if split == "report" else "servegen_m-small",
            f"azure_2023_conv, {half} half",
            f"azure_2023_code, {half} half",
            *(f"{name}, one half" for name in ("asn-ipv4", "asn-ipv6", "browser_user_agents", "disposable_email")),
            *("geo-whois-asn-country-ipv4", "datacenter_ipv4", "vpn_ipv4", "ja4_mapping", "prompts"),
        ),
    )


def _disposable(path: Path, split: str) -> tuple[str, ...]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return tuple(sorted(set(json.load(lines)))[split == "report" :: 2])
