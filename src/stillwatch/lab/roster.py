"""Ordinary accounts: who signs up for a model API, from where, paying how."""

from __future__ import annotations

import csv
from functools import cache

import numpy as np

from stillwatch.lab.chance import Array, choose, mix, seeds, zipf_choice
from stillwatch.lab.grammar import CORPUS
from stillwatch.lab.networks import networks
from stillwatch.lab.stacks import stacks
from stillwatch.lab.world import ACCOUNT, BASE, DAY, HOUR, MAX, MINI, World

LANGUAGES = ("en", "zh", "es", "de", "fr", "ja", "pt", "ar", "hi", "ru", "ko")
with (CORPUS / "countries.tsv").open(encoding="utf-8", newline="") as _lines:
    _TABLE = list(csv.DictReader(_lines, delimiter="\t"))
COUNTRIES = tuple(row["code"] for row in _TABLE)
_WEIGHTS = np.array([float(row["weight"]) for row in _TABLE])
_SPOKEN = np.array([LANGUAGES.index(row["language"]) for row in _TABLE])
_ZONES = np.array([int(row["zone"]) for row in _TABLE])
_HEADS, _TAILS = (line.split() for line in (CORPUS / "syllables.txt").read_text(encoding="utf-8").splitlines())
FREE_MAIL = (
    *("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "proton.me", "qq.com", "163.com"),
    *("gmx.de", "web.de", "naver.com", "mail.ru", "orange.fr", "uol.com.br", "live.com", "fastmail.com"),
)
DISPOSABLE = len(FREE_MAIL)  # the first of the disposable mail domains
DISPOSABLE_MAIL = tuple(
    f"{a}{b}"
    for a in ("swiftinbox", "tmpbox", "mailhop", "dropletter", "quickpost")
    for b in (".xyz", ".site", ".click")
)
COMPANY = DISPOSABLE + len(DISPOSABLE_MAIL)  # company domains count up from here
_ENDS = (".com", ".io", ".co", ".ai", ".dev", ".net", ".org", ".eu")


@cache
def country(code: str) -> int:
    """The number of a country."""
    return COUNTRIES.index(code)


def mail_domains(numbers: Array) -> list[str]:
    """The names of mail domains; company names are made of syllables."""
    known = FREE_MAIL + DISPOSABLE_MAIL
    draws = mix(numbers).tolist()
    return [
        known[number] if number < COMPANY else _company(draw)
        for number, draw in zip(numbers.tolist(), draws, strict=True)
    ]


def _company(draw: int) -> str:
    middle = _HEADS[draw // 25 % 25] if draw // 625 % 2 else ""
    return _HEADS[draw % 25] + middle + _TAILS[draw // 1250 % 15] + _ENDS[draw // 18750 % 8]


def newcomers(world: World, rng: np.random.Generator, count: int, home: str | None = None) -> Array:
    """Accounts of strangers with the habits of strangers; what a group has in common is set afterwards."""
    who = np.zeros(count, ACCOUNT)
    who["country"] = country(home) if home else choose(rng, _WEIGHTS, count)
    who["author"], who["salt"] = seeds(rng, count), seeds(rng, count)
    _signups(world, rng, who)
    _identities(rng, who)
    _routes(rng, who)
    who["zone"] = _ZONES[who["country"]]
    american = who["country"] == country("US")
    who["zone"][american] = choose(rng, {-5: 5, -6: 3, -7: 1, -8: 3}, int(american.sum()))
    spoken = _SPOKEN[who["country"]]
    own_tongue = rng.random(count) < np.where(who["country"] == country("IN"), 0.25, 0.75)
    who["language"] = np.where(own_tongue, spoken, 0)
    who["profile"] = choose(rng, {0: 4, 1: 4, 2: 1}, count)
    who["model"] = choose(rng, {MINI: 3, BASE: 6, MAX: 2}, count)
    who["adopts"] = np.where(
        rng.random(count) < 0.6, world.release + (rng.exponential(4.0, count) * DAY).astype(np.int64), world.end + DAY
    )
    who["channel"] = choose(rng, {0: 88, 1: 6, 2: 4, 3: 2}, count)
    who["stack"], who["stack2"] = stacks().draw(rng, count), stacks().draw(rng, count)
    who["keys"] = np.maximum(1, rng.geometric(0.75, count))
    who["temperature"] = choose(rng, {10: 6, 7: 3, 0: 3, 2: 1, 5: 1}, count) / 10
    who["thinks"] = np.where(rng.random(count) < 0.25, rng.random(count), 0.0)
    who["campaign"] = who["pool"] = who["lookalike"] = -1
    return who


def _signups(world: World, rng: np.random.Generator, who: Array) -> None:
    count = len(who)
    age = rng.beta(0.9, 1.7, count) * 730 * DAY
    who["created"] = world.end - DAY // 4 - age.astype(np.int64)
    begins = world.start + (rng.random(count) * 0.5 * world.span * (rng.random(count) < 0.5)).astype(np.int64)
    who["since"] = np.maximum(begins, who["created"] + 10 * 60_000_000)
    stays = np.where(rng.random(count) < 0.6, 1.0, rng.beta(0.6, 1.5, count))
    who["until"] = who["since"] + np.maximum((world.end - who["since"]) * stays, HOUR * 2).astype(np.int64)
    who["until"] = np.minimum(who["until"], world.end)


def _identities(rng: np.random.Generator, who: Array) -> None:
    count = len(who)
    in_company = rng.random(count) < 0.33
    company = zipf_choice(rng, max(2, count // 4), count, 0.45) + rng.integers(0, 1 << 20)
    who["org"] = np.where(in_company, company, -1)
    free = zipf_choice(rng, len(FREE_MAIL), count, 1.25)
    who["domain"] = np.where(
        in_company, COMPANY + company, np.where(rng.random(count) < 0.04, DISPOSABLE + free % 15, free)
    )
    who["domain"] = np.where(
        ~in_company & (rng.random(count) < 0.12), COMPANY + rng.integers(1 << 22, 1 << 24, count), who["domain"]
    )
    who["plan"] = np.where(in_company, choose(rng, {1: 2, 2: 6, 3: 2}, count), choose(rng, {0: 5, 1: 5}, count))
    paid = who["plan"] > 0
    own_card = seeds(rng, count)
    who["payment"] = np.where(paid, np.where(in_company & (rng.random(count) < 0.6), mix(company + 7), own_card), 0)
    who["phone"] = np.where(rng.random(count) < 0.55, seeds(rng, count), 0)
    level = np.where(paid, choose(rng, {2: 3, 3: 7}, count), choose(rng, {0: 1, 1: 6, 2: 3}, count))
    who["verification"] = np.where(in_company & (rng.random(count) < 0.3), 4, level)
    who["program"] = np.where(rng.random(count) < 0.07, choose(rng, {1: 5, 2: 3, 3: 2}, count), 0)


def _routes(rng: np.random.Generator, who: Array) -> None:
    """Home lines, phones behind a carrier's addresses, offices, clouds."""
    kind = np.where(
        who["org"] >= 0, choose(rng, {0: 2, 2: 5, 3: 3}, len(who)), choose(rng, {0: 8, 1: 2, 3: 2}, len(who))
    )
    for code in np.unique(who["country"]):
        here = who["country"] == code
        for number, name in enumerate(("home", "mobile", "office", "cloud")):
            route_by(rng, who, np.flatnonzero(here & (kind == number)), name)
        who["net2"][here] = rng.choice(networks().of("mobile", COUNTRIES[code]), int(here.sum()))
    who["anchor2"] = mix(who["net2"].astype(np.uint64)) ^ rng.integers(0, 6, len(who)).astype(np.uint64)
    who["share2"] = np.where(rng.random(len(who)) < 0.35, rng.beta(1, 4, len(who)), 0)


def route_by(rng: np.random.Generator, who: Array, rows: Array, kind: str) -> None:
    """Give accounts a route of one kind, in their own country where that has any."""
    count = len(rows)
    for code in np.unique(who["country"][rows]):
        local = rows[who["country"][rows] == code]
        who["net"][local] = rng.choice(networks().of(kind, COUNTRIES[code]), len(local))
    salt = who["salt"][rows]
    region = mix(who["net"][rows].astype(np.uint64)) ^ rng.integers(0, 6, count).astype(np.uint64)
    org = np.where(who["org"][rows] >= 0, mix(who["org"][rows] + 11), salt)
    bits, spread, lease, anchor = {
        "home": (10, 1 << 20, rng.choice([1, 3, 9, 60], count) * DAY, salt),
        "mobile": (9, 200, 2 * HOUR, region),
        "office": (3, 2, 12 * HOUR, org),
        "campus": (3, 3, 12 * HOUR, org),
        "cloud": (6, rng.integers(1, 4, count), 6 * HOUR, np.where(rng.random(count) < 0.5, org, salt)),
        "vpn": (5, 24, 8 * HOUR, mix(who["net"][rows].astype(np.uint64)) ^ rng.integers(0, 3, count).astype(np.uint64)),
        "ci": (14, 1 << 20, 60_000_000, region),
    }[kind]
    who["bits"][rows], who["spread"][rows], who["lease"][rows], who["anchor"][rows] = bits, spread, lease, anchor
