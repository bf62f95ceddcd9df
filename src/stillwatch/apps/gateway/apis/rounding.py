"""Log probabilities on a grid, with fewer alternatives: they stay of use, and no longer carry a model's soft labels."""

from __future__ import annotations

from typing import Any

from stillwatch.apps.gateway.apis.stripping import EMPTY, LOGPROBS, PARTS, get, put

LISTED = ("content", "refusal")  # where a choice lists its tokens


class Rounding:
    """The step that rounds log probabilities to `decimals`, and tells no more than `top` alternatives of a token."""

    marks: tuple[bytes, ...] = (b'"logprobs"',)
    holding = False

    def __init__(self, decimals: int | None, top: int | None) -> None:
        self._decimals, self._top = decimals, top

    def whole(self, answer: Any) -> Any:
        """Return an answer with its log probabilities rounded in place."""
        self._visit(answer)
        return answer

    def event(self, event: Any) -> list[Any]:
        """Return an event likewise."""
        self._visit(event)
        return [event]

    def end(self) -> tuple[()]:
        """Return nothing: none was held back."""
        return ()

    def _visit(self, held: Any) -> None:
        if isinstance(held, EMPTY):
            return
        if isinstance(held, list):
            for each in held:
                self._visit(each)
            return
        told = get(held, LOGPROBS)
        for listed in (told, *(get(told, name) for name in LISTED)) if told is not None else ():
            for token in listed if isinstance(listed, list) else ():
                self._round(token)
        for name in PARTS:
            self._visit(get(held, name))

    def _round(self, token: Any) -> None:
        """Round one token and its alternatives."""
        value, others = get(token, "logprob"), get(token, "top_logprobs")
        if self._decimals is not None and isinstance(value, float):
            put(token, "logprob", round(value, self._decimals) + 0.0)  # + 0.0: no token has -0.0
        if not isinstance(others, list):
            return
        if self._top is not None and len(others) > self._top:
            del others[self._top :]
        for each in others:
            self._round(each)
