"""The evidence about one endpoint: a bag and a bet for each channel, over all prompts and for each family of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.monitor.betting import Capital, bet
from stillwatch.integrity.monitor.channels import BY_NAME, Channel, Probe, Score
from stillwatch.integrity.monitor.merging import average, over_families
from stillwatch.integrity.monitor.ranks import Bags


@dataclass(frozen=True, slots=True)
class Observed:
    """One number that an answer gave, for whoever keeps the state: its bag, and what it put there."""

    bag: str
    value: float


@dataclass(slots=True)
class Evidence:
    """Bags and capitals of one endpoint. Changes in place, one answer at a time.

    Streams are named `channel` (over all prompts) and `channel/family`; bags `channel/prompt`.
    """

    channels: tuple[Channel, ...]
    seed: str
    bags: Bags = field(default_factory=Bags)
    capitals: dict[str, Capital] = field(default_factory=dict)
    heard: int = 0  # answers, over all time: it makes each tie's coin

    def learn(self, probe: Probe, answer: Answer, score: Score) -> None:
        """Put an answer of the reference into the bags. Not its latency, which is not the endpoint's."""
        for channel in self.channels:
            value = channel.value(probe, answer, score) if channel.identity else None
            if value is not None:
                self.bags.join(f"{channel.name}/{probe.prompt}", value)

    def observe(self, probe: Probe, answer: Answer, score: Score) -> list[Observed]:
        """Rank one answer in each channel and settle the bets; return what went into the bags."""
        coin = random.Random(f"{self.seed}/{self.heard}")  # the same again after a kill
        self.heard += 1
        seen = []
        for channel in self.channels:
            value = channel.value(probe, answer, score)
            chance = coin.random()
            if value is None:
                continue
            bag = f"{channel.name}/{probe.prompt}"
            rank = self.bags.rank_and_join(bag, value, chance)
            for stream in (channel.name, f"{channel.name}/{probe.family}"):
                self.capitals[stream] = bet(self.capitals.get(stream, Capital()), rank)
            seen.append(Observed(bag, value))
        return seen

    def channel_log_e(self, name: str) -> float:
        """Return the logarithm of a channel's e-value, families merged by averaging."""
        families = [each.log_e for stream, each in self.capitals.items() if stream.startswith(f"{name}/")]
        whole = self.capitals.get(name, Capital())
        return over_families(whole.log_e, families if len(families) > 1 else [])

    def by_channel(self) -> dict[str, float]:
        """Return the logarithm of each channel's e-value."""
        return {channel.name: self.channel_log_e(channel.name) for channel in self.channels}

    def log_e(self) -> float:
        """Return the logarithm of the endpoint's e-value: the average over the channels that speak to identity."""
        return merged(self.by_channel())


def merged(by_channel: Mapping[str, float]) -> float:
    """Return the endpoint's log e-value from its channels': those that do not speak to identity are left out."""
    told = [log_e for name, log_e in by_channel.items() if BY_NAME[name].identity]
    return average(told) if told else 0.0


def chosen(names: Sequence[str]) -> tuple[Channel, ...]:
    """Return channels by name, in the order of CHANNELS. Raises KeyError for an unknown one."""
    return tuple(channel for name, channel in BY_NAME.items() if name in {BY_NAME[each].name for each in names})
