"""TLS 1.2 and 1.3 are spoken, nothing older and none of the weak suites."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stillwatch.model import UsageError
from stillwatch.sharing.taxii.settings import read_settings
from tests.apps.taxii.running import Client, Running, running
from tests.sharing.taxii.made import settings_file

TLS = 'status_hours = 24\n[tls]\ncertificate = "server.pem"\nkey = "server.key"'


def make_certificate(folder: Path) -> None:
    """A certificate for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin)
    builder = builder.not_valid_after(begin + dt.timedelta(days=30))
    signed = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False).sign(key, hashes.SHA256())
    (folder / "server.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    kind = serialization.PrivateFormat.PKCS8
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    )


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder)
    with running(folder, limits=TLS) as started:
        yield started, folder / "server.pem"


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def over(server: Running, context: ssl.SSLContext) -> Client:
    north = server["north"]
    return Client(north.port, north.name, north.token, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_served(secure: tuple[Running, Path], version: ssl.TLSVersion) -> None:
    server, certificate = secure
    context = trusting(certificate)
    context.minimum_version = context.maximum_version = version
    assert over(server, context).get("/taxii2/").status == 200


def test_older_versions_are_not(secure: tuple[Running, Path]) -> None:
    server, certificate = secure
    context = trusting(certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError, match=r"(?i)alert|version|protocol|reset|eof"):
        over(server, context).get("/taxii2/")


def test_suites_without_forward_secrecy_are_not(secure: tuple[Running, Path]) -> None:
    server, certificate = secure
    context = trusting(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:AES256-SHA256")
    with pytest.raises(OSError, match=r"(?i)alert|handshake|reset|eof"):
        over(server, context).get("/taxii2/")


def test_plain_http_is_not_served_beside_it(secure: tuple[Running, Path]) -> None:
    with pytest.raises((OSError, Exception), match=r"(?i)reset|closed|bad|empty|remote|without|status"):
        secure[0]["north"].get("/taxii2/")


def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text("nothing")
    (tmp_path / "server.key").write_text("nothing")
    from stillwatch.apps.taxii.serve import serve

    with pytest.raises(UsageError, match="tls: certificate or key cannot be used"):
        serve(read_settings(settings_file(tmp_path, limits=TLS)))
