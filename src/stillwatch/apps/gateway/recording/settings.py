"""How exchanges are kept: where, how firmly, what happens when the disk fails, and what becomes of text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MIB = 1 << 20


class KafkaSettings(BaseModel):
    """A topic that gets every kept exchange too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brokers: str = Field(description="host:port, parted by commas")
    topic: str = Field(description="its name")
    config: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="further settings of librdkafka: security, compression"
    )


class RecordingSettings(BaseModel):
    """The section `recording` of the gateway's configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(description="where the exchange log is kept, on a local disk")
    on_failure: Literal["open", "closed"] = Field(
        "closed",
        description="when an exchange cannot be kept: `closed` refuses with 503, `open` answers and counts it lost",
    )
    fsync: Literal["none", "interval", "every"] = Field(
        "interval", description="what a power cut may lose: what the disk had not got yet, the last interval, nothing"
    )
    fsync_seconds: float = Field(1.0, gt=0, description="the interval")
    rotate_bytes: int = Field(32 * MIB, ge=4_096, description="size from which a worker begins a new spool file")
    rotate_seconds: float = Field(
        10.0, gt=0, description="age from which it does; how late the watcher sees an exchange"
    )
    free_bytes: int = Field(256 * MIB, ge=0, description="free space below which the disk counts as full")
    slow_seconds: float = Field(0.5, gt=0, description="a write that takes longer trips: the disk counts as too slow")
    text: Literal["sketch", "keep"] = Field(
        "sketch", description="what becomes of prompts once the watcher has sketched them"
    )
    text_max_age: float = Field(
        3_600.0, gt=0, description="seconds that prompts may wait for the watcher before they are dropped unsketched"
    )
    watched: bool = Field(
        True, description="whether a watcher folds segments; without one `sketch` drops text when a segment is written"
    )
    kafka: KafkaSettings | None = Field(None, description="a topic that gets every kept exchange too")
