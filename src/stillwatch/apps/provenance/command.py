"""The commands of `stillwatch provenance`. Each is one call of a function, and what it returns as JSON or NDJSON."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.apps.control.common import say
from stillwatch.apps.control.records import Ledger
from stillwatch.model import UsageError

if TYPE_CHECKING:
    from types import ModuleType

FOUND = 1
SEED = 1
PART = "stillwatch provenance"  # in whose name a commitment is entered, where nobody's is given
app = typer.Typer(no_args_is_help=True, help="Was a model trained on our answers? Keys, twins, marks, and their tests.")

Ring = Annotated[Path, typer.Argument(metavar="KEYRING", help="File of the secret and of its terms.")]
RingOption = Annotated[Path, typer.Option("--keyring", help="File of the secret and of its terms.", metavar="FILE")]
Scope = Annotated[str, typer.Option("--scope", help="Whose key: campaign:ID, class:NAME or deployment:NAME.")]
Epoch = Annotated[int | None, typer.Option("--epoch", help="Which term; the last one unless said.", metavar="N")]
Commitment = Annotated[
    Path | None, typer.Option("--commitment", help="As it was published; another key is refused.", metavar="FILE")
]
By = Annotated[str, typer.Option("--by", help="Your name: it stands in the ledger.", metavar="NAME")]
Seed = Annotated[int, typer.Option("--seed", help="Of the random keys that the report is calibrated by.", metavar="N")]
Texts = Annotated[
    Path, typer.Argument(metavar="TEXTS", help="NDJSON with id and text; and prompt, where there was one.")
]


@app.command("new-key")
def new_key(ring: Ring) -> None:
    """Make a keyring: a new secret, which no command ever prints."""
    from stillwatch.apps.provenance.files import store_keyring
    from stillwatch.provenance.keyring import Keyring, new_secret

    store_keyring(Keyring(new_secret()), ring, new=True)


@app.command()
def rotate(
    ring: Ring,
    scope: Scope,
    purpose: Annotated[str, typer.Option("--purpose", help="twins or watermark.")] = "twins",
    ledger: Ledger = None,
    by: By = PART,
) -> None:
    """Begin a term of a key, and publish its commitment: in print and, before the term begins, in the ledger."""
    from stillwatch.apps.provenance.files import load_keyring, store_keyring
    from stillwatch.apps.provenance.standing import entering

    held = load_keyring(ring).rotated(scope, purpose, time.time_ns() // 1000)
    key = held.key(scope, purpose)
    with entering(ledger, by) as append:
        if append is not None:  # first: a term of the keyring without its entry would serve nothing
            say(f"entry {_suspects().publish(key, append)} of the ledger")
    store_keyring(held, ring, new=False)
    _print(_suspects().commitment(key))


@app.command()
def commitments(
    ring: Ring,
    enter: Annotated[bool, typer.Option("--enter", help="Enter those that the ledger lacks.")] = False,
    ledger: Ledger = None,
    by: By = PART,
) -> None:
    """Print the commitment of each term of a keyring, one a line; with a ledger, since when it stands there."""
    from stillwatch.apps.provenance.files import load_keyring
    from stillwatch.apps.provenance.standing import entering, entries_of

    keys = list(load_keyring(ring).all_keys())
    if enter:
        with entering(ledger, by) as append:
            if append is None:
                raise UsageError("--enter needs a ledger: name the control plane's database by --ledger")
            for key in keys:
                _suspects().publish(key, append)
    for key, where in zip(keys, entries_of(keys, ledger), strict=True):
        print(json.dumps(_suspects().commitment(key) | where, ensure_ascii=False))


@app.command()
def render(texts: Texts, keyring: RingOption, scope: Scope, epoch: Epoch = None) -> None:
    """Print texts as the twins that are served under a key: NDJSON with the units that were rendered."""
    for row in _suspects().rendered(texts, _suspects().Asked(keyring, scope, epoch)):
        print(json.dumps(row, ensure_ascii=False))


@app.command()
def pairs(texts: Texts) -> None:
    """Print for each site of served texts both renderings, for a suspect to score. Needs no key, and shows none."""
    for pair in _suspects().pairs(texts):
        print(json.dumps(dataclasses.asdict(pair), ensure_ascii=False))


@app.command("test-twins")
def try_twins(  # noqa: PLR0913  (a command's options are its parameters)
    scores: Annotated[
        Path, typer.Argument(metavar="SCORES", help="NDJSON: unit and rule of each pair, and its log-likelihoods.")
    ],
    keyring: RingOption,
    scope: Scope,
    epoch: Epoch = None,
    commitment: Commitment = None,
    seed: Seed = SEED,
    ledger: Ledger = None,
) -> None:
    """Test by its likelihoods whether a suspect learned the served twins; exit status 1 when it did."""
    _conclude(_suspects().by_likelihoods(scores, _suspects().Asked(keyring, scope, epoch, commitment, seed, ledger)))


@app.command("test-text")
def try_text(  # noqa: PLR0913  (a command's options are its parameters)
    texts: Texts,
    keyring: RingOption,
    scope: Scope,
    epoch: Epoch = None,
    commitment: Commitment = None,
    seed: Seed = SEED,
    ledger: Ledger = None,
) -> None:
    """Test by text that it wrote whether a suspect learned the served twins; exit status 1 when it did."""
    _conclude(_suspects().by_text(texts, _suspects().Asked(keyring, scope, epoch, commitment, seed, ledger)))


@app.command("test-marks")
def try_marks(  # noqa: PLR0913  (a command's options are its parameters)
    tokens: Annotated[
        Path, typer.Argument(metavar="TOKENS", help="NDJSON with tokens; and prompt, or likeliest, where there is one.")
    ],
    keyring: RingOption,
    scope: Scope,
    vocabulary: Annotated[int, typer.Option("--vocabulary", help="Number of tokens of the teacher.", min=2)],
    scheme: Annotated[str, typer.Option("--scheme", help="hash, or kgw (needs stillwatch[watermark]).")] = "hash",
    gamma: Annotated[float, typer.Option("--gamma", help="Share of tokens that the mark favours.")] = 0.25,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference", help="NDJSON with tokens of our own unmarked answers to like questions.", metavar="FILE"
        ),
    ] = None,
    epoch: Epoch = None,
    commitment: Commitment = None,
    seed: Seed = SEED,
    ledger: Ledger = None,
) -> None:
    """Test whether a suspect learned from watermarked text; exit status 1 when it did."""
    asked = _suspects().Asked(keyring, scope, epoch, commitment, seed, ledger)
    _conclude(_suspects().by_marks(tokens, asked, _suspects().Scheme(scheme, vocabulary, gamma), reference))


@app.command("test-lineage")
def try_lineage(
    models: Annotated[
        Path, typer.Argument(metavar="MODELS", help="NDJSON: model, role, ability, agrees; one suspect, many controls.")
    ],
) -> None:
    """Rank a suspect's agreement with the teacher among controls as able as it: suggestive at most."""
    _print(_suspects().by_agreement(models))


@app.command("test-harvest")
def try_harvest(
    scores: Annotated[
        Path, typer.Argument(metavar="SCORES", help="NDJSON: exchange_id, model, role and score of each exchange.")
    ],
    flagged: Annotated[
        Path, typer.Option("--flagged", help="flagged.parquet of the run that found the campaign.", metavar="FILE")
    ],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Only what this campaign harvested.", metavar="ID")
    ] = None,
) -> None:
    """Compare how well a suspect knows harvested and held-out exchanges: suggestive at most."""
    _print(_suspects().by_harvest(scores, flagged, campaign))


def _suspects() -> ModuleType:
    """What does the work, imported when it is called: it needs scipy, for which other commands must not wait."""
    from stillwatch.apps.provenance import suspects

    return suspects


def _conclude(report: dict[str, Any]) -> None:
    _print(report)
    if report["finding"] == _suspects().LEARNED:
        raise typer.Exit(FOUND)


def _print(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))
