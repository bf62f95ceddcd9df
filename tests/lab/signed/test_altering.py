"""A smaller run of `benchmarks/answer_mutations.py`: whatever is altered is rejected by its name."""

from __future__ import annotations

import random
from collections import Counter

from stillwatch.integrity.signing.checking import Checker, Expected, Fault
from stillwatch.integrity.signing.received import receive
from stillwatch.lab.signed.altering import alter, check_altered, is_named
from stillwatch.lab.signed.samples import make_sample, make_signer

SEED, MANY = 11, 500


def test_whatever_is_altered_is_rejected_by_its_name_and_what_is_not_is_believed() -> None:
    chance, signer = random.Random(SEED), make_signer()
    keys, found = signer.ring.public(), Counter[str]()
    for _ in range(MANY):
        sample = make_sample(chance, signer)
        whole = Checker(keys).check(receive(sample.answer), Expected(sample.request))
        assert whole.genuine, whole.problems
        altered = alter(chance, sample, signer.ring)
        check = check_altered(altered, keys)
        assert is_named(altered, check), (altered.how, sample.endpoint, sample.stream, check.problems)
        found[check.result] += 1
    assert set(found) >= {each.value for each in Fault} - {"replayed", "not-in-ledger", "content-altered"}
