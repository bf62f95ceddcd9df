"""The file that `stillwatch monitor-endpoint` reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stillwatch.integrity.monitor.channels import BY_NAME
from stillwatch.model import InputRefused, UsageError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EndpointPart(_Part):
    """One endpoint that is watched."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    url: str = Field(pattern=r"^https?://")
    model: str = Field(min_length=1)
    shape: Literal["openai", "anthropic"] = "openai"
    key_env: str = ""
    reference: Path | None = None
    set: dict[str, Any] = Field(default_factory=dict)


class WebhookPart(_Part):
    """Where alerts go."""

    url: str = Field(pattern=r"^https?://")
    key_env: str = ""
    tries: int = Field(3, ge=1, le=10)


class PrometheusPart(_Part):
    """Where metrics go."""

    file: Path | None = None
    listen: str = Field("", pattern=r"^$|^[^\s:]*:\d+$")


class MonitorConfig(_Part):
    """The whole file."""

    endpoints: tuple[EndpointPart, ...] = Field(min_length=1)
    state: Path
    every: int = Field(3600, ge=10)  # seconds
    probes: int = Field(8, ge=1)
    level: float = Field(0.001, gt=0, lt=1)
    answers: int = Field(12, ge=4)
    temperature: float = Field(1.0, ge=0)
    max_tokens: int = Field(64, ge=1)
    prompts: Path | None = None
    channels: tuple[str, ...] = tuple(BY_NAME)
    policy: Path | None = None
    page: Path | None = None
    webhook: WebhookPart | None = None
    prometheus: PrometheusPart = Field(default_factory=lambda: PrometheusPart.model_validate({}))

    @field_validator("every", mode="before")
    @classmethod
    def _seconds(cls, told: Any) -> Any:
        found = re.fullmatch(r"(\d+)([smhd])", told) if isinstance(told, str) else None
        return int(found[1]) * UNITS[found[2]] if found else told

    @field_validator("channels")
    @classmethod
    def _known(cls, told: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(told) - set(BY_NAME):
            raise ValueError(f"no such channel: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
        return told

    @model_validator(mode="after")
    def _names_differ(self) -> MonitorConfig:
        names = [each.name for each in self.endpoints]
        if len(set(names)) != len(names):
            raise ValueError("two endpoints have one name")
        return self


def read_config(path: Path) -> MonitorConfig:
    """Read the file; paths in it are from its own folder. Raises InputRefused when it is no TOML, else UsageError."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path}: cannot be read ({type(error).__name__})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputRefused(f"{path}: is no TOML: {error}") from error
    try:
        config = MonitorConfig.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"]) or "the file"
        raise UsageError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    return _from_folder(config, path.parent)


def _from_folder(config: MonitorConfig, folder: Path) -> MonitorConfig:
    """With every path made to start at the file's folder."""

    def placed(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    endpoints = tuple(each.model_copy(update={"reference": placed(each.reference)}) for each in config.endpoints)
    prometheus = config.prometheus.model_copy(update={"file": placed(config.prometheus.file)})
    return config.model_copy(
        update={
            "endpoints": endpoints,
            "prometheus": prometheus,
            "state": folder / config.state,
            "prompts": placed(config.prompts),
            "policy": placed(config.policy),
            "page": placed(config.page),
        }
    )
