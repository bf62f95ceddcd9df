"""Log-ranks of an answer's tokens under a local copy of the model, told by a vLLM server of the open weights.

The answer is sent as the assistant's words with `prompt_logprobs: 0`, for which vLLM tells each prompt token's rank.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.apps.integrity.endpoints import Endpoint, post
from stillwatch.model import InputRefused

AT_ONCE = 8
Pair = tuple[str, str]  # prompt's id, answer's text


@dataclass(slots=True)
class LocalRanks:
    """Mean log-ranks that were asked for so far. `learn` asks the server; `score` only looks up."""

    endpoint: Endpoint
    prompts: Mapping[str, str]  # id → text
    held: dict[Pair, float] = field(default_factory=dict)
    openings: dict[str, int] = field(default_factory=dict)  # prompt → tokens before the answer begins

    def score(self, prompt: str, text: str) -> float:
        """Return an answer's mean log-rank. Raises KeyError for an answer that was not learned."""
        return self.held[prompt, text]

    async def learn(self, pairs: Iterable[Pair]) -> None:
        """Ask for the ranks of answers that are not known yet. Raises InputRefused when the server tells none."""
        wanted = list(dict.fromkeys(pair for pair in pairs if pair not in self.held))
        fresh = sorted({prompt for prompt, _ in wanted} - set(self.openings))
        gate = asyncio.Semaphore(AT_ONCE)
        async with post(self.endpoint) as ask:

            async def ranks(prompt: str, text: str) -> list[int]:
                async with gate:
                    return self._ranks(await ask(self._body(prompt, text)))

            for prompt, told in zip(fresh, await asyncio.gather(*(ranks(each, "") for each in fresh)), strict=True):
                self.openings[prompt] = len(told)
            found = await asyncio.gather(*(ranks(*pair) for pair in wanted))
        for (prompt, text), told in zip(wanted, found, strict=True):
            own = told[self.openings[prompt] :]
            self.held[prompt, text] = math.fsum(math.log(rank) for rank in own) / len(own) if own else 0.0

    def _body(self, prompt: str, text: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": self.prompts[prompt]}]
        answer = [{"role": "assistant", "content": text}] if text else []
        return {
            "model": self.endpoint.model,
            "messages": messages + answer,
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": 0,
            "add_generation_prompt": not text,
            "continue_final_message": bool(text),
        }

    def _ranks(self, body: Any) -> list[int]:
        try:
            return [int(next(iter(each.values()))["rank"]) for each in body["prompt_logprobs"] if each]
        except (KeyError, TypeError, AttributeError, StopIteration, ValueError):
            raise InputRefused(
                f"{self.endpoint.address}: told no ranks of the prompt's tokens; --local wants a vLLM server"
            ) from None
