"""What template fingerprints find, whom they hit by mistake and what they cost: `python benchmarks/fingerprints.py`.

A provider's planted log is detected and gathered, and the fingerprints that may leave are looked for in the same log,
in another provider's log where the same templates are used (other people, other fills), and in logs of other words.
Every match in an innocent's exchange is a mistake.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.apps.share.cases import case_of
from stillwatch.apps.share.gather import Sources, gather, protected_accounts
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.model import UsageError, VerdictKind
from stillwatch.sharing.case import Kind
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.terms import Producer, Terms
from stillwatch.sketch.fingerprints import SCHEME, Fingerprint, Matcher

EXCHANGES, ACCOUNTS = 60_000, 3_000
TIMED = 50_000
TERMS = Terms(Producer("benchmark"))


def plant(folder: Path, seed: int, split: str) -> Path:
    write_traffic(compose(Request(exchanges=EXCHANGES, accounts=ACCOUNTS, seed=seed, split=split)), folder)
    return folder


def leaving(folder: Path) -> list[Fingerprint]:
    """The fingerprints that the gate lets out of a planted log."""
    log, accounts, licences = (str(folder / name) for name in ("exchanges.parquet", "accounts.parquet", "licences.csv"))
    run = sw.detect(log, accounts, licences)
    with Engine() as engine:
        who, declared = read_accounts(accounts, engine), read_licences(licences, engine)
        guarded = protected_accounts(engine, who, declared, None)
        begun = time.perf_counter()
        found = gather(engine, Sources(run, read_exchanges(log, engine), who, guarded))
        print(f"gathered in {time.perf_counter() - begun:.1f} s")
    texts: set[str] = set()
    stayed: dict[str, int] = {}
    for story in run.stories:
        if story.campaign.verdict is not VerdictKind.DISTILLATION:
            continue
        try:
            told = decide(case_of(run, story.campaign.campaign_id, found), TERMS, b"benchmark")
        except UsageError:
            continue
        texts |= {one.value for one in told.indicators if one.kind is Kind.TEMPLATE}
        for one in told.withheld:
            if one.what == Kind.TEMPLATE.value:
                stayed[one.why] = stayed.get(one.why, 0) + one.count
    print(f"{len(texts)} fingerprints leave; stay: {stayed or 'none'}")
    return [Fingerprint.parse(text) for text in sorted(texts)]


def look(name: str, folder: Path, fingerprints: list[Fingerprint]) -> None:
    rows = pq.read_table(folder / "exchanges.parquet", columns=["exchange_id", "account_id", "prompt"])
    labels = pq.read_table(folder / "labels" / "exchanges.parquet").to_pydict()
    campaign = dict(zip(labels["exchange_id"], labels["campaign"], strict=True))
    truth = np.array([campaign.get(one) is not None for one in rows["exchange_id"].to_pylist()])
    hit = Matcher(fingerprints).match(rows["prompt"]).which >= 0
    accounts = np.array(rows["account_id"].to_pylist(), dtype=object)
    attack = set(accounts[truth])
    wrong = {account for account in accounts[hit & ~truth] if account not in attack}
    print(
        f"{name}: {len(hit):,} prompts; {int((hit & truth).sum()):,} of {int(truth.sum()):,} of campaigns matched, "
        f"{int((hit & ~truth).sum()):,} of {int((~truth).sum()):,} others matched, of {len(wrong):,} innocent accounts"
    )


def cost(folder: Path, fingerprints: list[Fingerprint]) -> None:
    prompts = pq.read_table(folder / "exchanges.parquet", columns=["prompt"])["prompt"].slice(0, TIMED).combine_chunks()
    size = sum(len(text.encode()) for text in prompts.to_pylist() if text) / len(prompts)
    chance = np.random.default_rng(1)
    for count in (len(fingerprints), 10_000):
        more = [
            Fingerprint.parse(
                f"{SCHEME}:" + "".join(f"{value:08x}" for value in np.unique(chance.integers(0, 2**32, 32)))
            )
            for _ in range(count - len(fingerprints))
        ]
        matcher = Matcher([*fingerprints, *more])
        matcher.match(prompts.slice(0, 100))
        begun = time.perf_counter()
        matcher.match(prompts)
        each = (time.perf_counter() - begun) / len(prompts)
        one = prompts.slice(0, 1)
        begun = time.perf_counter()
        for _ in range(200):
            matcher.match(one)
        alone = (time.perf_counter() - begun) / 200
        print(
            f"{count:,} fingerprints: {each * 1e6:.1f} µs a prompt of {size:.0f} bytes; "
            f"a call for a single one: {alone * 1e6:.0f} µs"
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        own = plant(Path(place) / "own", 21, "tuning")
        fingerprints = leaving(own)
        if not fingerprints:
            return
        print(f"values: {sorted(len(one.values) for one in fingerprints)}")
        look("the same log", own, fingerprints)
        look("another provider, the same wording", plant(Path(place) / "peer", 22, "tuning"), fingerprints)
        for seed in (23, 24):
            look(f"other wording, seed {seed}", plant(Path(place) / f"other{seed}", seed, "report"), fingerprints)
        cost(own, fingerprints)


if __name__ == "__main__":
    main()
