"""The commands of `stillwatch provenance`. Each is one call of a function, and what it returns as JSON or NDJSON."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from types import ModuleType

FOUND = 1
SEED = 1
app = typer.Typer(no_args_is_help=True, help="Was a model trained on our answers? Keys, twins, marks, and their tests.")

Ring = Annotated[Path, typer.Argument(metavar="KEYRING", help="File of the secret and of its terms.")]
RingOption = Annotated[Path, typer.Option("--keyring", help="File of the secret and of its terms.", metavar="FILE")]
Scope = Annotated[str, typer.Option("--scope", help="Whose key: campaign:ID, class:NAME or deployment:NAME.")]
Epoch = Annotated[int | None, typer.Option("--epoch", help="Which term; the last one unless said.", metavar="N")]
Commitment = Annotated[
    Path | None, typer.Option("--commitment", help="As it was published; another key is refused.", metavar="FILE")
]
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
) -> None:
    """Begin a term of a key and print its commitment, to be published before anything is served under it."""
    from stillwatch.apps.provenance.files import load_keyring, store_keyring

    held = load_keyring(ring).rotated(scope, purpose, time.time_ns() // 1000)
    store_keyring(held, ring, new=False)
    _print(_suspects().commitment(held.key(scope, purpose)))


@app.command()
def commitments(ring: Ring) -> None:
    """Print the commitment of each term of a keyring, one a line."""
    from stillwatch.apps.provenance.files import load_keyring

    for key in load_keyring(ring).all_keys():
        print(json.dumps(_suspects().commitment(key), ensure_ascii=False))


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
def try_twins(
    scores: Annotated[
        Path, typer.Argument(metavar="SCORES", help="NDJSON: unit and rule of each pair, and its log-likelihoods.")
    ],
    keyring: RingOption,
    scope: Scope,
    epoch: Epoch = None,
    commitment: Commitment = None,
    seed: Seed = SEED,
) -> None:
    """Test by its likelihoods whether a suspect learned the served twins; exit status 1 when it did."""
    _conclude(_suspects().by_likelihoods(scores, _suspects().Asked(keyring, scope, epoch, commitment, seed)))


@app.command("test-text")
def try_text(
    texts: Texts,
    keyring: RingOption,
    scope: Scope,
    epoch: Epoch = None,
    commitment: Commitment = None,
    seed: Seed = SEED,
) -> None:
    """Test by text that it wrote whether a suspect learned the served twins; exit status 1 when it did."""
    _conclude(_suspects().by_text(texts, _suspects().Asked(keyring, scope, epoch, commitment, seed)))


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
) -> None:
    """Test whether a suspect learned from watermarked text; exit status 1 when it did."""
    asked = _suspects().Asked(keyring, scope, epoch, commitment, seed)
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
