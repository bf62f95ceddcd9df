"""From files to reports: what `stillwatch provenance` does, each command one function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.apps.provenance.files import check_commitment, load_keyring, number, rows_of, text, whole_numbers
from stillwatch.apps.provenance.standing import look_up, method_of
from stillwatch.model import InputRefused
from stillwatch.provenance import lineage, radioactivity
from stillwatch.provenance.calibration import LEAST_KEYS, random_keys
from stillwatch.provenance.keyring import Append, MarkKey, commit, commitment_of
from stillwatch.provenance.reports import as_json
from stillwatch.provenance.twins.coins import serve
from stillwatch.provenance.twins.judge import Scored, completion_test, sign_test
from stillwatch.provenance.twins.pairs import Pair, pairs_of
from stillwatch.provenance.watermark import schemes

LEARNED = radioactivity.Finding.LEARNED.value
TEXT_ROW = '{"id": "exch-1", "text": "…"}'
SCORE_ROW = '{"unit": "often|we", "rule": "often", "first_loglik": -31.2, "second_loglik": -30.4}'
TOKEN_ROW = '{"tokens": [5, 81, 7]}'
MODEL_ROW = '{"model": "base-1", "role": "control", "ability": -4.61, "agrees": [0, 1, 1]}'
KNOWN_ROW = '{"exchange_id": "exch-1", "model": "base-1", "role": "control", "score": -2.31}'


@dataclass(frozen=True, slots=True)
class Asked:
    """Which key a command is about, what was published of it and where, and the seed of the random keys."""

    keyring: Path
    scope: str
    epoch: int | None = None
    commitment: Path | None = None
    seed: int = 1
    ledger: str | None = None

    def key(self, purpose: str) -> MarkKey:
        """Return the key. Raises InputRefused where it is not the one that was published."""
        key = load_keyring(self.keyring).key(self.scope, purpose, self.epoch)
        if self.commitment is not None:
            check_commitment(key, self.commitment, method_of(purpose))
        return key


@dataclass(frozen=True, slots=True)
class Scheme:
    """A watermark as a command names it."""

    name: str
    vocabulary: int
    gamma: float


@dataclass(frozen=True, slots=True)
class _Text:
    id: str
    text: str
    prompt: str


@dataclass(frozen=True, slots=True)
class _Tokens:
    tokens: Any
    prompt: Any
    likeliest: Any


def commitment(key: MarkKey) -> dict[str, Any]:
    """Return what is published of a key."""
    return commitment_of(key, method_of(key.term.purpose))


def publish(key: MarkKey, append: Append) -> int:
    """Enter a key's commitment into a ledger, and return the entry's number."""
    return commit(key, append, method_of(key.term.purpose))


def rendered(path: Path, asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield each text as the twin that is served."""
    secret = asked.key("twins").secret
    for row in _texts(path):
        served, sites = serve(row.text, secret)
        yield {"id": row.id, "text": served, "units": [site.unit for site in sites]}


def pairs(path: Path) -> Iterator[Pair]:
    """Yield the pairs of served texts."""
    return pairs_of((row.id, row.text) for row in _texts(path))


def by_likelihoods(path: Path, asked: Asked) -> dict[str, Any]:
    """Run the sign test on scored pairs."""
    scores, key = list(rows_of(path, SCORE_ROW, _scored)), asked.key("twins")
    where = look_up(key, asked.ledger)
    with _refusing(path):
        return as_json(sign_test(scores, key, random_keys(LEAST_KEYS, asked.seed))) | where


def by_text(path: Path, asked: Asked) -> dict[str, Any]:
    """Run the completion test on texts of a suspect."""
    rows = list(_texts(path))
    told, key = ([row.text for row in rows], [row.prompt for row in rows]), asked.key("twins")
    where = look_up(key, asked.ledger)
    with _refusing(path):
        return as_json(completion_test(told[0], key, random_keys(LEAST_KEYS, asked.seed), told[1])) | where


def by_marks(path: Path, asked: Asked, scheme: Scheme, reference: Path | None = None) -> dict[str, Any]:
    """Run the open test where rows say what the suspect found likeliest; else the closed one, compared if it can be."""
    rows = list(rows_of(path, TOKEN_ROW, _tokens))
    plain = [] if reference is None else [row.tokens for row in rows_of(reference, TOKEN_ROW, _tokens)]
    key = asked.key("watermark")
    where = look_up(key, asked.ledger)
    keys = radioactivity.Keys(
        schemes.key_for(scheme.name, key),
        schemes.random_for(scheme.name, random_keys(LEAST_KEYS, asked.seed)),
        schemes.under(scheme.name, scheme.vocabulary, scheme.gamma),
        key.commitment,
    )
    with _refusing(path):
        held = [each for row in rows for each in (row.tokens, row.likeliest)] + plain
        highest = max((int(each.max()) for each in held if len(each)), default=0)
        if highest >= scheme.vocabulary:
            raise ValueError(f"token {highest} is not within a vocabulary of {scheme.vocabulary}")
        texts, prompts = [row.tokens for row in rows], [row.prompt for row in rows]
        if reference is not None:
            found = radioactivity.score_compared(texts, plain, keys, prompts)
        elif rows and all(len(row.likeliest) for row in rows):
            found = radioactivity.score_open([radioactivity.Read(r.tokens, r.likeliest) for r in rows], keys)
        else:
            found = radioactivity.score_closed(texts, keys, prompts)
        return as_json(found) | where


def by_agreement(path: Path) -> dict[str, Any]:
    """Rank one suspect among controls."""
    rows = list(rows_of(path, MODEL_ROW, _model))
    suspect, controls = _one([(role, each) for role, each in rows], path)
    with _refusing(path):
        return as_json(lineage.compare(suspect, controls))


def by_harvest(path: Path, flagged: Path, campaign: str | None) -> dict[str, Any]:
    """Compare what a campaign harvested with what it did not."""
    harvested = _harvested(flagged, campaign)
    sets: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for role, model, exchange, score in rows_of(path, KNOWN_ROW, _known):
        sets.setdefault((role, model), ([], []))[exchange not in harvested].append(score)
    if any(not treated or not held for treated, held in sets.values()):
        raise InputRefused(f"{path}: every model needs exchanges that are in {flagged} and some that are not")
    found = [
        (role, lineage.Familiarity(model, np.array(treated), np.array(held)))
        for (role, model), (treated, held) in sets.items()
    ]
    suspect, controls = _one(found, path)
    return as_json(lineage.compare_harvest(suspect, controls))


def _harvested(path: Path, campaign: str | None) -> set[str]:
    import pyarrow.parquet as pq

    try:
        held = pq.read_table(path, columns=["exchange_id", "campaign_id"]).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise InputRefused(f"{path}: expected flagged.parquet of a run ({type(error).__name__})") from None
    return {each["exchange_id"] for each in held if campaign is None or each["campaign_id"] == campaign}


class _refusing:
    """Turns what a test says of its input into a refusal of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        del trace
        if kind is ValueError:
            raise InputRefused(f"{self._path}: {error}") from None


def _one(found: list[tuple[str, Any]], path: Path) -> tuple[Any, list[Any]]:
    suspects = [each for role, each in found if role == "suspect"]
    if len(suspects) != 1:
        raise InputRefused(f"{path}: {len(suspects)} suspects; a comparison is about one, beside its controls")
    return suspects[0], [each for role, each in found if role == "control"]


def _texts(path: Path) -> Iterator[_Text]:
    return rows_of(path, TEXT_ROW, lambda row: _Text(text(row["id"]), text(row["text"]), text(row.get("prompt", ""))))


def _scored(row: dict[str, Any]) -> Scored:
    reference = None
    if "reference_first_loglik" in row:
        reference = (number(row["reference_first_loglik"]), number(row["reference_second_loglik"]))
    told = number(row["first_loglik"]), number(row["second_loglik"])
    return Scored(text(row["unit"]), text(row["rule"]), *told, reference)


def _tokens(row: dict[str, Any]) -> _Tokens:
    tokens, likeliest = whole_numbers(row["tokens"]), whole_numbers(row.get("likeliest", []))
    if likeliest and len(likeliest) != len(tokens):
        raise ValueError
    return _Tokens(*(np.array(each, np.int64) for each in (tokens, whole_numbers(row.get("prompt", [])), likeliest)))


def _model(row: dict[str, Any]) -> tuple[str, lineage.Model]:
    return _role(row), lineage.Model(
        text(row["model"]), np.array(whole_numbers(row["agrees"]), bool), number(row["ability"])
    )


def _known(row: dict[str, Any]) -> tuple[str, str, str, float]:
    return _role(row), text(row["model"]), text(row["exchange_id"]), number(row["score"])


def _role(row: dict[str, Any]) -> str:
    if row["role"] not in ("suspect", "control"):
        raise ValueError
    return str(row["role"])
