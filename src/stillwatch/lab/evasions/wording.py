"""Evasions of what is asked: other words, other system prompts, no overlap of items, or much of it."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, below, seeds, stir
from stillwatch.lab.evasions.catalogue import Operation

COPIES = 8  # times that an item is asked at redundancy 1
_RELAY = {"relay.opening": "relay-opening", "relay.turn": "relay-turn"}


def family(rule: str) -> str | None:
    """The family of rewordings of a rule: `harvest.trace.one` is of `trace`; None for what is not a template."""
    if rule.startswith("harvest.") and not rule.endswith(".system"):
        return rule.split(".")[1]
    return "probe" if rule.startswith("probe.") else _RELAY.get(rule)


def reword(operation: Operation, who: Array, plan: Array) -> None:
    """Put the harvest into other words, and give accounts system prompts of their own."""
    if not (operation.strength("paraphrase") or operation.strength("system-prompts")):
        return
    account = plan["account"]
    voice = stir(who["author"], 77)[account]
    own_words = np.zeros(len(plan), bool)
    if operation.strength("paraphrase"):
        own_words = _paraphrase(operation, len(who), plan, voice)
    own_system = np.zeros(len(plan), bool)
    if operation.strength("system-prompts"):
        framing = plan["rule"] == operation.world.rule("framed.prompt")  # wears all that a customer wears
        own_system = operation.joined("system-prompts", len(who))[account] & ~framing
        plan["system"] = np.where(own_system, operation.world.rule("disguise.system"), plan["system"])
    plan["author"] = np.where(own_words | own_system, voice, plan["author"])


def _paraphrase(operation: Operation, accounts: int, plan: Array, voice: Array) -> Array:
    """Rewrite rules by family; which exchanges were reworded."""
    strength = operation.strength("paraphrase")
    by_account = operation.chance("paraphrase", "account").random(accounts)[plan["account"]] < 2 * strength
    templates = operation.scenario.work.templates
    afresh = operation.chance("paraphrase", "exchange", *templates).random(len(plan)) < 2 * strength - 1
    grammar = operation.world.grammar
    reworded = np.zeros(len(plan), bool)
    for name, rule in grammar.names.items():
        kind = family(name)
        rows = np.flatnonzero((plan["rule"] == rule) & by_account) if kind else np.empty(0, np.int64)
        if not len(rows):
            continue
        for depth, mine in (("worded", rows[~afresh[rows]]), ("reworded", rows[afresh[rows]])):
            variants = np.array(grammar.family(f"{depth}.{kind}."))
            pick = voice[mine] if depth == "worded" else stir(plan["item"][mine], 3)
            plan["rule"][mine] = variants[below(stir(pick, 5), len(variants))]
        reworded[rows] = True
    return reworded


def deal(operation: Operation, plan: Array) -> None:
    """Deal the items of the pool so that accounts never meet, or so that they meet all the time."""
    if operation.strength("partition"):
        rng = operation.chance("partition")
        fresh, joined = seeds(rng, len(plan)), rng.random(len(plan)) < operation.strength("partition")
        order = np.lexsort((plan["ts"], plan["item"]))
        first = np.ones(len(plan), bool)
        first[1:] = plan["item"][order][1:] != plan["item"][order][:-1]
        asked_by = plan["account"][order][np.flatnonzero(first)[np.cumsum(first) - 1]]
        shared = np.zeros(len(plan), bool)
        shared[order] = plan["account"][order] != asked_by
        plan["item"] = np.where(shared & joined, fresh, plan["item"])
    if operation.strength("redundancy"):
        rng = operation.chance("redundancy")
        opening = rng.permutation(np.flatnonzero(plan["turns"] == 1))
        source = opening[np.arange(len(opening)) // COPIES * COPIES]
        joined = rng.random(len(opening)) < operation.strength("redundancy")
        for name in ("item", "rule"):
            plan[name][opening[joined]] = plan[name][source[joined]]
