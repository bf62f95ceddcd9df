"""What a private comparison costs: CPU seconds a side and bytes on the wire, each side alone on one core.

python benchmarks/psi.py [--elements 100000] [--common 50000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from stillwatch.sharing.private import run
from stillwatch.sharing.private.own_set import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", type=int, default=100_000)
    parser.add_argument("--common", type=int, default=50_000)
    asked = parser.parse_args()
    mine = [b"payment\x00pm_%012d" % number for number in range(asked.elements)]
    theirs = [b"payment\x00pm_%012d" % (number + asked.elements - asked.common) for number in range(asked.elements)]
    spent = {"asker": 0.0, "answerer": 0.0}

    def timed(side: str, step: Callable[[], Any]) -> Any:
        began = time.process_time()
        done = step()
        spent[side] += time.process_time() - began
        return done

    asking = timed("asker", lambda: run.greet(prepare(mine, b"a"), "funding"))
    answering = timed("answerer", lambda: run.welcome(prepare(theirs, b"b"), asking.hello))
    sent = timed("asker", lambda: run.send(asking, answering.welcome))
    answered, reply = timed("answerer", lambda: run.answer(answering, sent.masked))
    asker, last = timed("asker", lambda: run.count(sent, reply))
    answerer = timed("answerer", lambda: run.tally(answered, last))
    there, back = timed("asker", lambda: run.reveal(asker)), timed("answerer", lambda: run.reveal(answerer))
    found = timed("asker", lambda: run.learn(asker, back))
    timed("answerer", lambda: run.learn(answerer, there))
    assert len(found) == asker.count == answerer.count == asked.common
    wire = [asking.hello.to_bytes(), answering.welcome.to_bytes(), sent.masked, reply, last, there, back]
    print(f"{asked.elements:,} × {asked.elements:,} elements, {asker.count:,} in common")
    for side, seconds in spent.items():
        print(f"{side:>9}: {seconds:.1f} s of CPU")
    print(f"     wire: {sum(map(len, wire)) / 1e6:.1f} MB, {sum(map(len, wire[:5])) / 1e6:.1f} MB of it for the count")


if __name__ == "__main__":
    main()
