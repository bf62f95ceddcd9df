"""What lists say of a campaign: a sentence beside everyone's share, and no bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stillwatch.attribution.context import mark, told_by_lists
from stillwatch.ingest.reference import read_reference
from stillwatch.model import Claim, Grade
from tests.signals.build import among, group

MEMBERS = range(30)


def told(folder: Path, name: str, text: str, **shown: object) -> tuple[Claim, ...]:
    path = folder / name
    path.write_text(text)
    population = among(group(MEMBERS), **shown)  # type: ignore[arg-type]
    return told_by_lists(np.array(MEMBERS), mark(population, [read_reference(path)]))


def test_the_members_share_of_listed_addresses_stands_beside_everyone_s(tmp_path: Path) -> None:
    shown = {at: ["203.0.113.5"] if at < 15 else ["198.51.100.7"] for at in MEMBERS}
    (claim,) = told(tmp_path, "rented.txt", "203.0.113.0/24\n", ip=shown)
    assert claim.grade is Grade.REPORTED
    assert claim.text.startswith("50% of its members' addresses are on the list rented (")
    assert claim.text.endswith("% of everyone's): context, not evidence")


def test_a_mail_domain_is_listed_with_what_lies_in_it(tmp_path: Path) -> None:
    shown = {at: "brief.example" if at < 6 else "mx.brief.example" if at < 9 else "firm.example" for at in MEMBERS}
    (claim,) = told(tmp_path, "disposable.conf", "brief.example\nonce.example\n", email_domain=shown)
    assert claim.text.startswith("30% of its members' mail domains are on the list disposable (")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("203.0.113.0/24\n", {"ip": {0: ["192.0.2.1"]}}), ("brief.example\n", {"email_domain": {0: "firm.example"}})],
    ids=["addresses", "mail domains"],
)
def test_a_list_with_nothing_of_the_members_says_nothing(tmp_path: Path, text: str, shown: dict[str, object]) -> None:
    assert told(tmp_path, "list.txt", text, **shown) == ()


def test_a_list_of_what_the_input_does_not_have_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("203.0.113.0/24\n")
    population = among(group(MEMBERS))
    population.edges.pop("ip")
    assert mark(population, [read_reference(path)]) == ()
