"""A teacher is trained; students learn from what was harvested of it, plain, watermarked or as twins; each is tested.

Every stage is kept in the folder, so that a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.lab.provenance import verdicts
from stillwatch.lab.provenance.models import Vocabulary, loss_on, make, sample, train, vocabulary
from stillwatch.lab.provenance.world import World, documents, question, world
from stillwatch.model import UsageError
from stillwatch.provenance.keyring import Keyring
from stillwatch.provenance.watermark.kgw import table
from stillwatch.provenance.watermark.marks import Array
from stillwatch.provenance.watermark.needed import needed
from stillwatch.provenance.watermark.schemes import key_for

SCOPE = "deployment:gateway"  # whose key the gateway takes for a campaign that has none of its own
GAMMA, BIAS = 0.25, 2.0
LANGUAGE = 2  # worlds whose texts number the words


@dataclass(frozen=True, slots=True)
class Size:
    """How much is trained, harvested and asked."""

    teacher_steps: int
    base_steps: int
    student_steps: int
    harvested: int  # answers
    pairs: int  # that a suspect scores
    written: int  # answers of a suspect
    length: int = 44  # tokens of an answer

    @property
    def told(self) -> str:
        """Return the size as text."""
        return json.dumps(list(asdict(self).values()))

    @staticmethod
    def of(told: str) -> Size:
        """Return the size of a text."""
        return Size(*json.loads(told))


QUICK = Size(260, 160, 200, 3_000, 2_500, 1_500)
FULL = Size(420, 220, 400, 5_000, 4_500, 2_000)


class Story:
    """One run. What is made is kept under its seed and size; say is told what happens."""

    def __init__(self, out: Path, size: Size, seed: int, say: Callable[[str], None]) -> None:
        self.out, self.size, self.seed, self._say = out, size, seed, say
        self._models: dict[str, Any] = {}
        self.kept = out / f"seed-{seed}-of-{size.harvested}-{size.teacher_steps}"
        self.kept.mkdir(parents=True, exist_ok=True)
        self.teaches, self.other = world(1000 + seed, LANGUAGE), world(2000 + seed, LANGUAGE)
        self.words: Vocabulary = vocabulary(
            [each for of in (self.teaches, self.other) for each in documents(of, 4_000, 0)]
        )
        self.ring = Keyring(np.random.default_rng([seed, 5]).bytes(32))
        for purpose in ("twins", "watermark"):
            self.ring = self.ring.rotated(SCOPE, purpose, 0)
        self.twins_key, self.mark_key = self.ring.key(SCOPE, "twins"), self.ring.key(SCOPE, "watermark")

    def teacher(self) -> Any:
        """Return the model that is harvested."""
        return self._model("teacher", None, lambda: self._documents(self.teaches, 1), self.size.teacher_steps)

    def base(self) -> Any:
        """Return the model that every student begins as: it never saw the teacher, nor its world."""
        return self._model("base", None, lambda: self._documents(self.other, 2), self.size.base_steps)

    def student(self, name: str) -> Any:
        """Return a student: of `plain`, `marked` or `twins` answers, or of `human` text about the teacher's world."""

        def held() -> list[list[int]]:
            return self._documents(self.teaches, 3) if name == "human" else self.harvest(name)

        return self._model(name, self.base, held, self.size.student_steps)

    def suspect(self, name: str) -> Any:
        """Return the model that is tested by a name."""
        return self.base() if name == "base" else self.student(name)

    def questions(self) -> list[str]:
        """Return what is asked of the teacher to harvest it."""
        rng = np.random.default_rng([self.seed, 7])
        return [question(self.teaches, rng)[0] for _ in range(self.size.harvested)]

    def keep(self, kind: str, answers: Sequence[tuple[str, str]]) -> None:
        """Keep what was harvested: questions with the teacher's answers to them."""
        held = [self._question(asked) + self.words.encode(said) for asked, said in answers]
        (self.kept / f"harvest-{kind}.json").write_text(json.dumps(held), encoding="utf-8")

    def harvest(self, kind: str) -> list[list[int]]:
        """Return what was kept, as token ids: questions with answers, `plain`, `marked` or `twins`."""
        path = self.kept / f"harvest-{kind}.json"
        if not path.exists():
            raise UsageError(f"{path} is not there; the gateway must be harvested first")
        found: list[list[int]] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def written(self, name: str) -> list[list[int]]:
        """Return what a suspect writes to questions of its own; answers alone."""
        path = self.kept / f"written-{name}.json"
        if not path.exists():
            suspect, began = self.suspect(name), time.monotonic()
            rng, count = np.random.default_rng([self.seed, 77]), self.size.written
            asked = [self._question(question(self.teaches, rng)[0]) for _ in range(count)]
            said = sample(suspect, asked, rng.random((count, self.size.length)))
            path.write_text(json.dumps(said), encoding="utf-8")
            self.spent(f"written-{name}", time.monotonic() - began)
            self._say(f"{name}: {count:,} answers written")
        found: list[list[int]] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def favoured(self) -> Array:
        """Return what the teacher's mark favours, by the last token: (words, words)."""
        return table(key_for("kgw", self.mark_key), len(self.words.words), GAMMA)

    def ability(self, name: str) -> float:
        """Return minus a suspect's loss on text of the teacher's world, in nats a token."""
        return -loss_on(self.suspect(name), self._documents(self.teaches, 9, 400))

    def asked(self) -> int:
        """Return how many tokens a question has."""
        return len(self._question(question(self.teaches, np.random.default_rng(0))[0]))

    def report(self) -> dict[str, Any]:
        """Test every suspect and return what was found."""
        found = []
        for name in ("base", "human", "plain", "marked", "twins"):
            kept = self.kept / f"verdict-{name}.json"
            if not kept.exists():
                self._say(f"testing {name}")
                self.written(name)  # trained and asked before its tests are timed
                began = time.monotonic()
                told = verdicts.of(self, name)
                self.spent(f"testing {name}", time.monotonic() - began)
                kept.write_text(json.dumps(told), encoding="utf-8")
            found.append(json.loads(kept.read_text(encoding="utf-8")))
        return {"seed": self.seed, "size": asdict(self.size), "suspects": found, "seconds": self._seconds()}

    def _question(self, text: str) -> list[int]:
        return self.words.encode(f"{text}\n")

    def _documents(self, of: World, seed: int, count: int = 8_000) -> list[list[int]]:
        return [self.words.encode(each) for each in documents(of, count, 10 * self.seed + seed)]

    def _model(
        self, name: str, begin: Callable[[], Any] | None, held: Callable[[], Sequence[Sequence[int]]], steps: int
    ) -> Any:
        if name in self._models:
            return self._models[name]
        torch = needed("torch")
        path = self.kept / f"{name}.pt"
        model = make(len(self.words.words), self.seed + len(name))
        if path.exists():
            model.load_state_dict(torch.load(path))
            model.eval()
        else:
            if begin is not None:
                model.load_state_dict(begin().state_dict())
            began = time.monotonic()
            loss = train(model, held(), steps, self.seed + len(name))
            torch.save(model.state_dict(), path)
            self.spent(name, time.monotonic() - began)
            self._say(f"{name}: {steps} steps, loss {loss:.2f} nats a token")
        self._models[name] = model
        return model

    def spent(self, name: str, seconds: float) -> None:
        """Keep how long a stage took."""
        told = self._seconds() | {name: round(seconds, 1)}
        (self.kept / "seconds.json").write_text(json.dumps(told), encoding="utf-8")

    def _seconds(self) -> dict[str, float]:
        path = self.kept / "seconds.json"
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found
