"""A process that records policies as fast as it can, and says after each that it is done."""

from __future__ import annotations

import sys

from stillwatch.store.database import open_store
from stillwatch.store.policies import record_policy


def main(database: str, name: str, count: int) -> None:
    with open_store(database) as store:
        for number in range(count):
            index = record_policy(store, f"{name}-{number}", "rules: []", number, name)
            sys.stdout.write(f"{index}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
