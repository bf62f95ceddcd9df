"""Command lines: only programs that the operator listed, in a form whose meaning can be read off."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_HIDES = re.compile(r"\$\(|`|<\(|>\(|\$\{|\$'|\beval\b|\bexec\b|\bsource\b|<<")
_CONTROL = frozenset("();<>|&\n")
_ASSIGNS = re.compile(r"^\w+=")
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "pwsh", "powershell", "cmd"})
RUN_OTHERS = frozenset({"env", "xargs", "sudo", "nohup", "timeout", "nice", "time", "command", "busybox", "find"})


def oddities(line: str, programs: frozenset[str]) -> Iterator[str]:
    """Yield why a command line must not run, in words; nothing when it may."""
    if _HIDES.search(line):
        yield "it runs what cannot be read off it"
        return
    try:
        lexed = shlex.shlex(line.replace("\n", " ; "), posix=True, punctuation_chars=True)
        lexed.whitespace_split = True
        lexed.commenters = ""
        words = list(lexed)
    except ValueError:
        yield "its words cannot be told apart"
        return
    starts = True
    for word in words:
        if set(word) <= _CONTROL:
            starts = not set(word) & {"<", ">"}
        elif starts and not _ASSIGNS.match(word):
            starts = False
            yield from _program(word, programs)
        elif starts:
            yield "it sets a variable for the program that it runs"


def _program(word: str, programs: frozenset[str]) -> Iterator[str]:
    if word not in programs:
        yield "it runs a shell" if word.rsplit("/", 1)[-1] in SHELLS else "it runs a program that is not on the list"
    elif word in RUN_OTHERS:
        yield "it runs a program that runs others, whatever the list says"
