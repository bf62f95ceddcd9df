"""Altered answers, each rejected by its name: `python benchmarks/answer_mutations.py --count 10000`."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from stillwatch.integrity.signing.checking import Checker, Expected
from stillwatch.integrity.signing.received import receive
from stillwatch.lab.signed.altering import alter, check_altered, is_named
from stillwatch.lab.signed.samples import make_sample, make_signer


def main() -> None:
    """Print how many were rejected, under which names; exit status 1 where one was not, or an unaltered one was."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=10_000, help="altered answers")
    asked.add_argument("--seed", type=int, default=7)
    told = asked.parse_args()
    chance, signer, began = random.Random(told.seed), make_signer(), time.process_time()
    keys, names, ways = signer.ring.public(), Counter[str](), Counter[str]()
    believed, unnamed, alarms = 0, 0, 0
    for _ in range(told.count):
        sample = make_sample(chance, signer)
        alarms += not Checker(keys).check(receive(sample.answer), Expected(sample.request)).genuine
        altered = alter(chance, sample, signer.ring)
        check = check_altered(altered, keys)
        ways[altered.how] += 1
        names[check.result] += 1
        believed += check.genuine
        if not check.genuine and not is_named(altered, check):
            unnamed += 1
            print(f"  {altered.how} of {sample.endpoint}: {check.result}, not {altered.names[0].value}")
    print(f"seed {told.seed}: {told.count:,} altered answers and streams in {len(ways)} ways, "
          f"{time.process_time() - began:.0f} s of CPU")  # fmt: skip
    print(
        f"believed {believed}, rejected under another name {unnamed}; {alarms} false alarms on {told.count:,} unaltered"
    )
    for name, count in names.most_common():
        print(f"  {name:22}{count:7,}")
    sys.exit(bool(believed or unnamed or alarms))


if __name__ == "__main__":
    main()
