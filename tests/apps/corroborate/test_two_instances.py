"""A comparison between processes over HTTP: what is told, what is refused, and what is written down."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from stillwatch.apps.cli import app
from stillwatch.apps.corroborate.book import Book
from stillwatch.apps.corroborate.client import PartnerFailed, Question, Wire, ask
from stillwatch.apps.corroborate.config import AskedRow, read_partners
from stillwatch.sharing.private import run
from stillwatch.sharing.private.indicators import Indicator
from stillwatch.sharing.private.messages import read_welcome
from stillwatch.sharing.private.own_set import prepare
from tests.apps.corroborate.partners import STEP, running, running_alone, shown, write_config, write_partners

CARDS = [f"pm_{number:012d}" for number in range(100)]
THEIRS = [
    *shown("C-1", "payment", CARDS[:70]),
    *shown("C-2", "payment", CARDS[70:80], "watch"),
    *shown("C-1", "address", ["198.51.100.7"]),
]


def elements(cards: list[str]) -> tuple[bytes, ...]:
    return tuple(Indicator("payment", card).to_bytes() for card in cards)


QUESTION = Question("funding", elements([*CARDS[60:90], "pm_of_ours_only"]), step=STEP)


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, AskedRow]]:
    """A partner's instance that answers, tells which on agreement, and has no limit worth mention."""
    folder = tmp_path_factory.mktemp("north")
    config = write_config(folder, THEIRS, sessions_per_hour=90, allow="allow.txt")
    (folder / "allow.txt").write_text("payment pm_000000000065  # our own company card\n")
    with running(config) as url:
        yield folder, read_partners(write_partners(folder / "us", {"north": url}))["north"]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "asked")


def test_both_instances_learn_the_count_and_on_consent_which(north: tuple[Path, AskedRow], book: Book) -> None:
    folder, row = north
    counted = ask("north", row, QUESTION, book.append)
    assert (counted.count, counted.revealed) == (19, None)
    told = ask("north", row, replace(QUESTION, reveal=True), book.append)
    assert told.revealed is not None
    common = [card for card in CARDS[60:80] if card != CARDS[65]]  # what north allows is never answered
    assert set(told.revealed) == set(elements(common))
    (kept,) = (folder / "state" / "revealed").glob("*.json")
    assert {row["value"] for row in json.loads(kept.read_text())} == set(common)
    assert kept.stat().st_mode & 0o077 == 0
    kinds = [json.loads(line)["kind"] for line in (folder / "state" / "asked.ndjson").read_text().splitlines()]
    assert kinds[-3:] == ["psi-asked", "psi-counted", "psi-revealed"]


def test_what_either_side_writes_down_names_no_element(north: tuple[Path, AskedRow], book: Book) -> None:
    folder, row = north
    ask("north", row, replace(QUESTION, reveal=True), book.append)
    told = (folder / "state" / "asked.ndjson").read_text() + book.path.read_text()
    assert "pm_" not in told
    assert "commitment" in told


def test_sizes_within_a_step_cost_the_same_bytes(north: tuple[Path, AskedRow], book: Book) -> None:
    _, row = north
    one = ask("north", row, replace(QUESTION, elements=elements(["pm_of_ours_only"])), book.append)
    many = ask(
        "north", row, replace(QUESTION, elements=elements([f"pm_ours_{n:09d}" for n in range(STEP)])), book.append
    )
    assert (one.count, one.sent, one.received) == (many.count, many.sent, many.received)


@pytest.mark.parametrize("token", ["", "wrong", "Basic bm9ydGg6bm9ydGg="])
def test_who_has_no_token_is_told_nothing(north: tuple[Path, AskedRow], token: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(north[1].url).netloc)
    connection.request("POST", "/v1/sessions", b"{}", {"authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("www-authenticate")) == (401, "Bearer")
    answer.read()
    connection.close()


def test_what_does_not_fit_the_protocol_is_refused_with_its_reason(north: tuple[Path, AskedRow]) -> None:
    wire = Wire("north", north[1])
    own = prepare(QUESTION.elements, b"", STEP)
    asking = run.greet(own, "funding")
    with pytest.raises(PartnerFailed, match="413: a body of more than 1,024 bytes"):
        wire.post("", b" " * 5_000, 100)
    with pytest.raises(PartnerFailed, match="400: the greeting is no JSON"):
        wire.post("", b"{", 100)
    _, told = wire.post("", asking.hello.to_bytes(), 1_024)
    with pytest.raises(PartnerFailed, match="409: this greeting came before"):
        wire.post("", asking.hello.to_bytes(), 1_024)
    sent = run.send(asking, read_welcome(told, 100_000, STEP))
    session = sent.welcome.session
    with pytest.raises(PartnerFailed, match="409: this step was done, or is not the next one"):
        wire.post(f"/{session}/doubled", sent.masked, 1_024)
    with pytest.raises(PartnerFailed, match="400: a masked element is no point of the group, or is the identity"):
        wire.post(f"/{session}/masked", bytes(32) + sent.masked[32:], 1_024)
    with pytest.raises(PartnerFailed, match="409: there is no such session"):
        wire.post(f"/{session}/masked", sent.masked, 1_024)
    wire.close()


def test_rates_hold_over_a_restart_and_consent_of_a_person_is_waited_for(tmp_path: Path, book: Book) -> None:
    config = write_config(tmp_path / "north", THEIRS, sessions_per_hour=2, reveal="approved")

    def consent(seconds: float) -> None:
        """What the partner's person does meanwhile."""
        lines = (tmp_path / "north" / "state" / "asked.ndjson").read_text().splitlines()
        session = next(json.loads(line)["subject"] for line in reversed(lines) if "psi-counted" in line)
        done = CliRunner().invoke(app, ["partner", "allow", str(config), session, "--by", "ann"])
        assert done.exit_code == 0

    with running_alone(config) as url:
        row = read_partners(write_partners(tmp_path / "us", {"north": url}))["north"]
        impatient = ask("north", row, replace(QUESTION, reveal=True), book.append)
        assert impatient.revealed is None
        assert "has not consented" in impatient.note
        patient = ask("north", row, replace(QUESTION, reveal=True, wait=60.0), book.append, consent)
        assert patient.revealed is not None
        assert len(patient.revealed) == 20
    with running(config) as url:
        row = read_partners(write_partners(tmp_path / "us", {"north": url}))["north"]
        with pytest.raises(PartnerFailed, match="429: 2 comparisons within the hour, 2 are allowed"):
            ask("north", row, QUESTION, book.append)


def test_a_partner_that_is_down_is_named(tmp_path: Path, book: Book) -> None:
    row = read_partners(write_partners(tmp_path, {"north": "http://127.0.0.1:9"}))["north"]
    with pytest.raises(PartnerFailed, match="north: cannot be reached"):
        ask("north", row, QUESTION, book.append)


def test_an_index_that_cannot_be_read_is_the_answerer_s_to_mend(tmp_path: Path, book: Book) -> None:
    config = write_config(tmp_path / "north", THEIRS)
    with running(config) as url:
        row = read_partners(write_partners(tmp_path / "us", {"north": url}))["north"]
        (tmp_path / "north" / "indicators.parquet").write_bytes(b"no index")
        with pytest.raises(PartnerFailed, match="503: this side cannot answer now"):
            ask("north", row, QUESTION, book.append)


def test_over_tls_the_partner_s_own_authority_is_trusted_and_no_other(tmp_path: Path, book: Book) -> None:
    write_certificate(tmp_path / "north")
    config = write_config(tmp_path / "north", THEIRS, certificate="cert.pem", private_key="key.pem")
    with running(config) as url:
        assert url.startswith("https://")
        partners = write_partners(tmp_path / "us", {"north": url}, certificate_authority="../north/cert.pem")
        assert ask("north", read_partners(partners)["north"], QUESTION, book.append).count == 20
        stranger = read_partners(write_partners(tmp_path / "others", {"north": url}))["north"]
        with pytest.raises(PartnerFailed, match="cannot be reached"):
            ask("north", stranger, QUESTION, book.append)


def write_certificate(folder: Path) -> None:
    """A certificate of this machine's address, signed by itself."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "north")])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    build = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    build = build.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=1))
    build = build.add_extension(alternative, critical=False)
    build = build.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(build.sign(key, hashes.SHA256()).public_bytes(pem))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))
