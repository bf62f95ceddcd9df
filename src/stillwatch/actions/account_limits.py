"""Which budgets a request draws from: those of its account, its organisation, and the rule that spoke."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.decision import Budget
from stillwatch.actions.rules import AccountLimits, Limits, Rate, Rule

Drawn = tuple[list[Budget], list[Budget]]  # of requests, of tokens
OF_RULE = "rule:"


def budgets_of(limits: AccountLimits, rule: Rule | None, attributes: Attributes) -> Drawn:
    """Return the budgets of requests and of tokens that a request draws from."""
    requests: list[Budget] = []
    tokens: list[Budget] = []
    if limits.any and (rule is None or rule.do.limits):
        for source, subject, each in _of_account(limits, attributes):
            _add(source, subject, each, (requests, tokens))
    if rule is not None:
        for kind, subject, own in (
            ("account", attributes.account, rule.do.per_account),
            ("organisation", attributes.organisation, rule.do.per_organisation),
            ("campaign", attributes.campaign, rule.do.per_campaign),
        ):
            if own is not None and subject:
                _add(f"{OF_RULE}{rule.name}", f"{kind}:{subject}", own, (requests, tokens))
    return requests, tokens


def source_of(budget: Budget) -> str:
    """Return what a budget comes from: `rule:NAME`, or the name of a limit of accounts."""
    return budget.key.split("|", 2)[1]


def _of_account(limits: AccountLimits, asked: Attributes) -> Iterator[tuple[str, str, Limits]]:
    account, organisation = f"account:{asked.account}", f"organisation:{asked.organisation}"
    if asked.programme in limits.programmes:
        yield f"programme {asked.programme}", account, limits.programmes[asked.programme]
    elif asked.verification in limits.verification:
        yield f"verification {asked.verification}", account, limits.verification[asked.verification]
    for step in limits.ramp:
        if 0 <= asked.account_age_days < step.younger_than:  # of unknown age: not held to be new
            yield f"accounts younger than {step.younger_than:g} days", account, step.limits
            break
    if asked.organisation in limits.organisations:
        yield "organisation", organisation, limits.organisations[asked.organisation]
    elif limits.organisation is not None and asked.organisation:
        yield "organisation", organisation, limits.organisation


def _add(source: str, subject: str, limits: Limits, drawn: Drawn) -> None:
    for what, rates, into in (("requests", limits.requests, drawn[0]), ("tokens", limits.tokens, drawn[1])):
        into.extend(_budget(what, source, subject, rate) for rate in rates)


def _budget(what: str, source: str, subject: str, rate: Rate) -> Budget:
    # the rate is part of the key: a budget whose rate was changed begins afresh
    return Budget(f"{what}|{source}|{rate.amount}/{rate.seconds:g}|{subject}", rate.amount, rate.seconds)
