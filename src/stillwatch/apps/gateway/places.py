"""Where the gateway keeps what: one place that says so, for workers and for what runs beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stillwatch.apps.gateway.recording.settings import KafkaSettings, RecordingSettings
from stillwatch.apps.gateway.settings import Config


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one gateway, and its secret."""

    secret: bytes
    database: str
    policy: Path | None
    index: Path
    metrics: Path
    live: Path  # the watcher's state
    run: Path  # its run, as `detect` writes it
    recording: RecordingSettings
    receipts: Path  # of signed answers, until the ledger has them

    @classmethod
    def of(cls, config: Config) -> Places:
        """Return the places of a configuration; the folder for data is made where there is none."""
        data = config.data
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = config.recording.model_dump(exclude={"kafka"})
        topic = config.recording.kafka
        kafka = None if topic is None else KafkaSettings.model_validate(topic.model_dump())
        return cls(
            secret=config.secret.read("secret of the deployment").encode(),
            database=config.database or str(data / "control.sqlite"),
            policy=config.policy,
            index=config.live.index or data / "index",
            metrics=data / "metrics",
            live=data / "live",
            run=data / "run",
            recording=RecordingSettings(folder=data / "exchanges", kafka=kafka, **told),
            receipts=data / "receipts",
        )
