"""`gateway.toml`: what the gateway is told, checked once at the start. No secret stands in it."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stillwatch.model import UsageError

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bytes = Annotated[int, Field(ge=1_024)]
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^:\s]*):(\d{1,5})")


class Table(BaseModel):
    """A table of the file: frozen, and closed to keys that nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Table):
    """Where a secret stands. The file names an environment variable or a file, never the secret."""

    env: str = Field(default="", description="environment variable that holds it")
    file: Path | None = Field(default=None, description="file that holds it, and nothing else")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.env) == bool(self.file):
            raise ValueError('name one place: env = "NAME" or file = "PATH"')
        return self

    def read(self, what: str) -> str:
        """Return the secret; `what` it is stands in the error when there is none."""
        if self.file is None:
            found = os.environ.get(self.env, "").strip()
            where = f"environment variable {self.env}"
        else:
            where = str(self.file)
            try:
                found = self.file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{where}: {what} cannot be read ({type(error).__name__}); write it there") from error
        if not found:
            raise UsageError(f"{where}: holds no {what}; put it there before the start")
        return found


class Upstream(Table):
    """A model API that requests go to."""

    name: str = Field(min_length=1, description="how logs and metrics call it")
    url: str = Field(pattern=r"^https?://[^/?#\s@]+(/[^?#\s]*)?$", description="where it is; `/v1/…` is appended")
    apis: tuple[Literal["openai", "anthropic"], ...] = Field(min_length=1, description="which APIs it speaks")
    models: tuple[str, ...] = Field(
        default=("*",), min_length=1, description="models it serves; `*` stands for any text"
    )
    key: Secret | None = Field(
        default=None, description="the provider's key, when the gateway holds it; else the client's own is passed on"
    )
    headers: dict[str, str] = Field(default={}, description="headers added to every request")
    channel: str = Field(default="", description="`channel` of its exchanges: first-party, bedrock, vertex, …")
    forward_client: bool = Field(default=False, description="tell it the client's address in `x-forwarded-for`")
    ca_file: Path | None = Field(
        default=None, description="certificates that sign its own, in PEM, instead of the system's"
    )

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/").removesuffix("/v1")


class SignedHeader(Table):
    """A JWT in which a gateway in front says who calls."""

    header: str = Field(default="authorization", description="header that holds it; `Bearer ` is cut off")
    keys: Path = Field(description="public keys that may sign: a JWKS (JSON) or a PEM file; read again when it changes")
    audience: str = Field(min_length=1, description="`aud` that the token must name")
    issuer: str = Field(default="", description="`iss` that the token must name; any when empty")
    account_claim: str = Field(default="sub", description="claim that holds the account")
    claims: dict[str, str] = Field(
        default={"org_id": "org_id", "plan": "plan", "verification": "verification", "program": "program"},
        description="column of the accounts table = claim that holds it",
    )  # fmt: skip
    leeway: float = Field(default=5, ge=0, le=300, description="seconds that clocks may differ")


class Authentication(Table):
    """How a request names its account."""

    kind: Literal["keys", "signed-header", "pass-through"] = Field(
        default="keys",
        description="keys of the gateway; a JWT from a gateway in front; or the client's own provider key, hashed",
    )
    signed_header: SignedHeader | None = Field(default=None, description="for `signed-header`: see below")
    trusted_proxies: tuple[str, ...] = Field(default=(), description="networks whose forwarding headers are believed")
    client_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for", description="where a trusted proxy says who the client is"
    )
    tls_header: str = Field(default="", description="where a trusted proxy puts the TLS fingerprint (JA4 or JA3)")
    asn_header: str = Field(default="", description="where a trusted proxy puts the number of the client's network")
    country_header: str = Field(
        default="", description="where a trusted proxy puts the client's country, ISO 3166-1 alpha-2"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ipaddress.ip_network(each)) for each in value)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "signed-header") != (self.signed_header is not None):
            raise ValueError('[authentication.signed_header] belongs to kind = "signed-header", and to no other')
        return self


class Limits(Table):
    """What a client may ask of the gateway."""

    request_bytes: Bytes = Field(default=32 << 20, description="longest body of a request; past it 413")
    header_bytes: Bytes = Field(default=32 << 10, description="longest request line and headers together; past it 431")
    answer_bytes: Bytes = Field(
        default=64 << 20,
        description="longest JSON answer that is held to be read; a longer one is passed on unread",
    )
    in_flight: int = Field(default=2_000, ge=1, description="requests at a time in one worker; past it 503")


class Timeouts(Table):
    """How long to wait, in seconds."""

    connect: Seconds = Field(default=5, description="for a connection to the upstream; past it 504")
    first_byte: Seconds = Field(default=600, description="for the head of its answer; past it 504")
    idle: Seconds = Field(
        default=300, description="between two pieces of its answer; past it the connection is broken off"
    )
    keep_alive: Seconds = Field(
        default=4, description="an idle connection to the upstream is kept; keep it below the upstream's own"
    )
    request: Seconds = Field(default=60, description="for a client to send a whole request")
    client_idle: Seconds = Field(default=75, description="a client's idle connection is kept")
    client_stall: Seconds = Field(default=120, description="a client may read nothing of its answer")
    drain: Seconds = Field(default=600, description="answers under way may take at the end, or at a reload")
    unready: float = Field(
        default=0, ge=0, le=600, description="serve on after readiness went false, so that balancers see it"
    )


class Kafka(Table):
    """A topic that gets every kept exchange too."""

    brokers: str = Field(description="host:port, parted by commas")
    topic: str = Field(description="its name")
    config: dict[str, str | int | float | bool] = Field(default={}, description="further settings of librdkafka")


class Recording(Table):
    """How exchanges are kept: in `exchanges` inside `data`."""

    text: Literal["sketch", "keep"] = Field(
        default="sketch", description="`sketch`: text is dropped once sketched; `keep`: prompts and answers are kept"
    )
    text_max_age: Seconds = Field(
        default=3_600, description="seconds that prompts may wait for the watcher; then they go"
    )
    on_failure: Literal["closed", "open"] = Field(
        default="closed", description="what cannot be kept: is not answered (503), or is answered and counted as lost"
    )
    fsync: Literal["none", "interval", "every"] = Field(
        default="interval", description="what a loss of power may cost: what the disk had not got, an interval, nothing"
    )
    fsync_seconds: Seconds = Field(default=1, description="the interval")
    rotate_bytes: int = Field(
        default=32 << 20, ge=4_096, description="size from which a worker begins a new spool file"
    )
    rotate_seconds: Seconds = Field(
        default=10, description="age from which it does: how late the watcher sees an exchange"
    )
    free_bytes: int = Field(default=256 << 20, ge=0, description="free space below which the disk counts as full")
    slow_seconds: Seconds = Field(default=0.5, description="a write that takes longer: the disk counts as too slow")
    kafka: Kafka | None = Field(default=None, description="a topic that gets every kept exchange too: see below")


class Live(Table):
    """What detection sees while it runs."""

    window: Seconds = Field(default=60, description="seconds of a window of the background watcher")
    index: Path | None = Field(default=None, description="folder of known campaigns; inside `data` when absent")


class AdminToken(Table):
    """One person or program that may use the admin API."""

    name: str = Field(min_length=1, description="who that is, as the ledger will call them")
    token: Secret = Field(description="their token")


class Admin(Table):
    """The admin API. It has its own address, which belongs on no public network."""

    listen: str = Field(default="127.0.0.1:8081", description="address and port")
    tokens: tuple[AdminToken, ...] = Field(min_length=1, description="who may use it: see below")

    _listen = field_validator("listen")(lambda value: _address(value))


class Budgets(Table):
    """Where several workers or nodes count together what accounts may still ask."""

    url: str = Field(min_length=1, description="a Redis or Valkey server: redis://HOST:PORT/DB")
    lost: Literal["local", "divided"] = Field(
        default="local", description="while it cannot be reached each worker allows all of a budget, or its part of it"
    )
    nodes: int = Field(default=1, ge=1, description="processes that share the budgets, for `divided`")


class Decide(Table):
    """`POST /v1/decide` and `/v1/outcome`, for what stands elsewhere: the LiteLLM guardrail, gateways of your own."""

    listen: str = Field(default="127.0.0.1:8087", description="address and port")
    token: Secret = Field(description="what callers must send as `Authorization: Bearer TOKEN`")

    _listen = field_validator("listen")(lambda value: _address(value))


class Envoy(Table):
    """The gRPC service that Envoy's `ext_authz` filter and its access log call."""

    listen: str = Field(default="127.0.0.1:8088", description="address and port")

    _listen = field_validator("listen")(lambda value: _address(value))


class Signing(Table):
    """Answers are signed, so that clients behind any reseller can tell what this gateway answered."""

    keys: Path = Field(description="the keys that sign, made by `stillwatch answer-keys new`; read again on a change")
    headers: bool = Field(default=True, description="sign the head too (RFC 9421), for clients that call directly")
    ledger: bool = Field(default=True, description="enter each receipt into the ledger, some seconds later")


class Handles(Table):
    """Opaque handles (encrypted reasoning, signatures, ids of responses) bound to whom they are given to."""

    raw_until: AwareDatetime = Field(
        description="until when handles from before the switch are accepted, such as 2027-01-31T00:00:00Z"
    )
    bind: Literal["conversation", "account"] = Field(
        default="conversation",
        description="to account and conversation, or to the account alone; accounts of one organisation may share",
    )
    failed: Literal["refuse", "strip", "observe"] = Field(
        default="refuse",
        description="a request with a handle that fails: is refused (403), goes on without it, or goes on and is noted",
    )


class Reasoning(Table):
    """Who writes what stands in place of reasoning, for rules that ask for that."""

    summariser: str = Field(default="", description="`module:function` for `summarise-reasoning`; our rule when empty")
    reformulator: str = Field(
        default="", description="`module:function` for `reformulate-reasoning`; our rule when empty"
    )


class Logs(Table):
    """What is told on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level that is told")
    format: Literal["json", "text"] = Field(default="json", description="one JSON object a line, or text for people")
    sample: float = Field(
        default=0.0, ge=0, le=1, description="share of ordinary requests that get a line; others all do"
    )


class Config(Table):
    """The whole file."""

    listen: str = Field(default="127.0.0.1:8080", description="address and port that clients use")
    workers: int = Field(default=1, ge=1, le=256, description="processes that answer")
    data: Path = Field(description="folder for all that the gateway keeps")
    secret: Secret = Field(description="the deployment's secret, which keys every hash")
    policy: Path | None = Field(default=None, description="policy file; the shipped one, in shadow mode, when absent")
    accounts: Path | None = Field(default=None, description="table of accounts, as `detect --accounts` reads it")
    licences: Path | None = Field(default=None, description="table of licences, as `detect --licences` reads it")
    declared: Path | None = Field(default=None, description="declared uses that somebody accepted (YAML)")
    templates: Path | None = Field(default=None, description="public templates, as `detect --templates` reads them")
    database: str = Field(default="", description="control plane: an SQLAlchemy URL; SQLite inside `data` when empty")
    upstreams: tuple[Upstream, ...] = Field(
        min_length=1, description="where requests go; the first that fits: see below"
    )
    authentication: Authentication = Field(default=Authentication(), description="see below")
    limits: Limits = Field(default=Limits(), description="see below")
    timeouts: Timeouts = Field(default=Timeouts(), description="see below")
    recording: Recording = Field(default=Recording(), description="see below")
    live: Live = Field(default=Live(), description="see below")
    budgets: Budgets | None = Field(default=None, description="see below; without it each worker counts for itself")
    admin: Admin | None = Field(default=None, description="see below; without it there is no admin API")
    decide: Decide | None = Field(default=None, description="see below; without it there is no decide API")
    envoy: Envoy | None = Field(default=None, description="see below; without it there is no service for Envoy")
    signing: Signing | None = Field(default=None, description="see below; without it answers pass as they came")
    handles: Handles | None = Field(default=None, description="see below; without it handles pass as they are")
    reasoning: Reasoning = Field(default=Reasoning(), description="see below")
    logs: Logs = Field(default=Logs(), description="see below")
    twins: Path | None = Field(
        default=None,
        description="keyring of the twins that `serve-twin` serves, "
        "[under keys that the ledger has](provenance.md#behind-the-gateway)",
    )

    _listen = field_validator("listen")(lambda value: _address(value))

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [each.name for each in self.upstreams]
        if len(set(names)) < len(names):
            raise ValueError("two upstreams have one name; give each its own")
        held = [each.name for each in self.upstreams if each.key is not None]
        if self.authentication.kind == "pass-through" and held:
            raise ValueError(
                f'upstream {held[0]} has a key, and kind = "pass-through" checks none: anybody could use it'
            )
        return self


def _address(value: str) -> str:
    match = ADDRESS.fullmatch(value)
    if match is None or int(match[2]) > 65_535:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return value


def host_and_port(address: str) -> tuple[str, int]:
    """Split an address of the file."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)


def load_config(path: Path) -> Config:
    """Read the file; paths in it count from its folder. Every error names file, key and mend."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the path of a gateway.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    try:
        config = Config.model_validate(told)
    except ValidationError as error:
        raise UsageError("\n".join(_told(path, each) for each in error.errors(include_input=False))) from None
    return _placed(config, path.resolve().parent)


def _told(path: Path, error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    mends = {"extra_forbidden": "no such key; see docs/reference/gateway.md", "missing": "is missing; add it"}
    return f"{path}: {key}: {mends.get(error['type'], error['msg'].removeprefix('Value error, '))}"


def _placed(told: Any, base: Path) -> Any:
    """The same tables, with every path counted from a folder."""
    if isinstance(told, Path):
        return base / told
    if isinstance(told, tuple):
        return tuple(_placed(each, base) for each in told)
    if isinstance(told, Table):
        return told.model_copy(update={name: _placed(getattr(told, name), base) for name in type(told).model_fields})
    return told
