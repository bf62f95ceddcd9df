"""What can be said in two ways: phrases of equal meaning, whichever of the two an answer has.

Each phrase must mean the same as its twin wherever it is found, so words with a second meaning are left out: `since`
is also a time, `almost` stands in terms of mathematics, `till` is also a noun.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Where a phrase is looked for."""

    ANYWHERE = "anywhere"  # in small letters, or with a capital at the start of a sentence
    INSIDE = "inside"  # in small letters alone
    START = "start"  # with a capital at the start of a sentence alone
    NEGATION = "negation"  # in small letters, before a word that does not make it a question


@dataclass(frozen=True, slots=True)
class Rule:
    """Two phrases of equal meaning, in small letters."""

    first: str
    second: str
    where: Where = Where.ANYWHERE

    @property
    def name(self) -> str:
        """The first phrase names the rule."""
        return self.first


BULLETS = "bullets"  # the name of the rule for the marks of a list: - or *
PHRASES = (
    Rule("for example", "for instance"),
    Rule("however,", "nevertheless,"),
    Rule("therefore,", "thus,"),
    Rule("in addition,", "additionally,"),
    Rule("moreover,", "furthermore,"),
    Rule("similarly,", "likewise,"),
    Rule("in other words,", "put differently,"),
    Rule("in summary,", "in sum,"),
    Rule("in general,", "generally,"),
    Rule("in fact,", "as a matter of fact,"),
    Rule("note that", "notice that", Where.START),
    Rule("in order to", "so as to"),
    Rule("usually", "typically"),
    Rule("often", "frequently"),
    Rule("maybe", "perhaps"),
    Rule("at the moment", "at present", Where.INSIDE),
    Rule("even though", "although"),
    Rule("in spite of", "despite"),
    Rule("among", "amongst"),
    Rule("toward", "towards", Where.INSIDE),
    Rule("each other", "one another", Where.INSIDE),
    Rule("keep in mind that", "bear in mind that"),
    Rule("make sure that", "ensure that"),
    Rule("began to", "started to", Where.INSIDE),
    Rule("depending on", "depending upon"),
    Rule("based on", "based upon"),
    Rule("in the same way", "in the same manner"),
    Rule("as opposed to", "in contrast to"),
    Rule("as mentioned above", "as noted above"),
    *(
        Rule(whole, short, Where.NEGATION)
        for whole, short in (
            ("do not", "don't"),
            ("does not", "doesn't"),
            ("did not", "didn't"),
            ("is not", "isn't"),
            ("are not", "aren't"),
            ("was not", "wasn't"),
            ("were not", "weren't"),
            ("cannot", "can't"),
            ("could not", "couldn't"),
            ("should not", "shouldn't"),
            ("would not", "wouldn't"),
            ("has not", "hasn't"),
            ("have not", "haven't"),
        )
    ),
)
ASKING = frozenset(  # behind a negation, these make it a question (isn't it), or belong to it (not only)
    {"i", "you", "he", "she", "it", "we", "they", "this", "that", "there", "these", "those", "the", "a", "an"}
    | {"not", "only", "just", "merely", "but"}
)
NAMES = (BULLETS, *(rule.name for rule in PHRASES))
METHOD = {  # what is committed to before anything is served
    "plan": "twins 1",
    "coin": "HMAC-SHA256 of the rule and the word before it",
    "test": "sign of likelihoods, centred by rule; leaning of completions, centred by rule, weighed by how often",
    "rules": hashlib.sha256(repr(PHRASES).encode()).hexdigest(),
}
