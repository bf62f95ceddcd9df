"""Look-alikes made of one organisation: it evaluates, indexes, classifies, resells, routes, teaches, pays together."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.chance import Array, heavy_tail, mix, stir
from stillwatch.lab.ordinary import any_language, natural_talk
from stillwatch.lab.rhythm import FLAT, OFFICE, SERVICE, moments, nightly, window
from stillwatch.lab.roster import COMPANY, newcomers, route_by
from stillwatch.lab.stacks import rare_stack
from stillwatch.lab.traffic import answer_in_tokens, visits
from stillwatch.lab.world import DAY, HOUR, Group, World


def staff(world: World, rng: np.random.Generator, count: int, kind: str = "office") -> Array:
    """Accounts of one company: one organisation, one mail domain, one invoice, one office or cloud."""
    who = newcomers(world, rng, count, str(rng.choice(["US", "DE", "GB", "IN", "JP", "FR"])))
    name = int(rng.integers(1 << 24, 1 << 27))
    who["org"], who["domain"], who["plan"] = name, COMPANY + name, rng.choice([2, 3])
    who["payment"], who["verification"] = mix(name)[0], rng.choice([3, 4])
    route_by(rng, who, np.arange(count), kind)
    who["net"], who["anchor"] = who["net"][0], mix(name + 5)[0]
    who["stack"] = rng.choice(np.concatenate([who["stack"][:1], who["stack"][:1], rare_stack(rng)]), count)
    who["share2"] = np.where(kind == "cloud", 0.0, who["share2"])
    who["created"] = np.minimum(who["created"], world.start - DAY)
    who["since"] = np.minimum(who["since"], world.start + DAY)
    who["until"] = world.end
    who["author"] = mix(name + 9)[0]
    return who


def _spread(rng: np.random.Generator, who: Array, exchanges: int, sigma: float = 0.6) -> Array:
    who["volume"] = heavy_tail(rng, len(who), exchanges, sigma)
    return np.repeat(np.arange(len(who)), np.round(who["volume"]).astype(np.int64))


def nightly_evaluation(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """One product team's regression suite, at the same hour every night, the same few hundred items."""
    who = staff(world, rng, accounts, "cloud")
    account = _spread(rng, who, exchanges, 0.3)
    plan = visits(rng, who, account, nightly(world, rng, len(account), 2, 80 * 60_000_000))
    plan["rule"], plan["item"] = world.rule("suite.item"), stir(who["salt"][0], rng.integers(0, 240, len(plan)))
    plan["temperature"], plan["system"] = 0.0, world.rule("app.system")
    return Group(who, plan)


def retrieval(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A retrieval application with several keys; a third of its volume is one backfill at full speed."""
    who = staff(world, rng, accounts, "cloud")
    who["keys"], who["profile"] = 4, SERVICE
    account = _spread(rng, who, exchanges)
    begins = world.start + int(world.span * rng.uniform(0.2, 0.7))
    ts = moments(world, rng, who, account)
    fill = rng.random(len(account)) < 0.35
    ts = np.where(fill, window(rng, len(account), begins, begins + 20 * HOUR), ts)
    plan = visits(rng, who, account, ts)
    plan["rule"] = np.where(fill, world.rule("rag.index"), world.rule("rag.answer"))
    plan["system"] = np.where(fill, -1, world.rule("rag.system"))
    plan["context"] += rng.lognormal(7.3, 0.4, len(plan)).astype(np.int32)
    answer_in_tokens(rng, plan, 140.0, 0.6)
    return Group(who, plan)


def batch(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Classification or translation of a company's records: one template, every fill new, day and night."""
    who = staff(world, rng, accounts, "cloud")
    who["profile"] = FLAT
    account = _spread(rng, who, exchanges)
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"] = np.where(account % 2 == 0, world.rule("batch.classify"), world.rule("batch.translate"))
    plan["endpoint"], plan["stream"], plan["temperature"] = 2, False, 0.0
    answer_in_tokens(rng, plan, 60.0, 0.9)
    return Group(who, plan)


def reseller(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A declared reseller: verified as a business, serving its own end users' conversations from few addresses."""
    who = staff(world, rng, accounts, "cloud")
    who["verification"], who["plan"], who["keys"], who["volume"] = 4, 3, 12, exchanges / accounts
    who["profile"] = SERVICE
    plan = natural_talk(world, rng, who, 3.0)
    _end_users(world, rng, plan)
    return Group(who, plan)


def gateway(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A router in front of several accounts of one company: it balances, retries and falls back over channels."""
    who = staff(world, rng, accounts, "cloud")
    who["keys"], who["profile"], who["volume"] = 6, SERVICE, exchanges / accounts
    plan = natural_talk(world, rng, who, 2.5)
    _end_users(world, rng, plan)
    plan["account"] = np.where(rng.random(len(plan)) < 0.6, rng.integers(0, accounts, len(plan)), plan["account"])
    plan["channel"] = rng.choice([0, 0, 0, 1, 2], len(plan))
    plan["system"] = world.rule("app.system")
    return Group(who, plan)


def _end_users(world: World, rng: np.random.Generator, plan: Array) -> None:
    """Let the conversations be those of many people in many languages."""
    tongue = any_language(rng, len(plan))
    names = [world.rule(f"chat.{code}") for code in ("en", "zh", "es", "de", "fr", "ja", "pt", "ar", "hi", "ru", "ko")]
    opening = plan["turns"] == 1
    plan["rule"] = np.where(opening, np.array(names)[tongue], plan["rule"])
    plan["author"] = stir(plan["item"], 3)


def company(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Forty colleagues: one organisation, one office address, one invoice, and work of their own."""
    who = staff(world, rng, accounts)
    who["author"], who["profile"] = stir(who["salt"], 5), OFFICE
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.2)
    return Group(who, natural_talk(world, rng, who, 3.0))


def team_key(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """One account whose key a whole team shares from homes, phones and offices."""
    who = newcomers(world, rng, accounts)
    who["spread"], who["lease"], who["bits"], who["anchor"] = 14, 20 * 60_000_000, 12, who["salt"]
    who["share2"], who["plan"], who["volume"] = 0.4, 2, exchanges / accounts
    who["since"], who["until"] = np.maximum(world.start, who["created"] + HOUR), world.end
    plan = natural_talk(world, rng, who, 3.0)
    plan["author"] = stir(plan["author"], rng.integers(0, 14, len(plan)))
    plan["stack"] = rng.choice(who["stack2"].tolist() + who["stack"].tolist(), len(plan))
    return Group(who, plan)


def licensed(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """A customer with a licence to make synthetic data: harvesting in shape, declared and authorised."""
    who = staff(world, rng, accounts, "cloud")
    who["verification"], who["plan"], who["profile"] = 4, 3, FLAT
    account = _spread(rng, who, exchanges, 0.2)
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"] = world.rule("licensed.prompt")
    answer_in_tokens(rng, plan, 900.0, 0.5)
    row = {"org_id": str(int(who["org"][0])), "models": "", "capabilities": "instruction-data;reasoning"}
    return Group(who, plan, (row,))


def agency(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """Freelancers whose accounts one agency pays by one invoice; each works alone, from home."""
    who = newcomers(world, rng, accounts)
    who["payment"], who["plan"], who["verification"] = mix(world.seed + 41)[0], 1, 3
    who["created"] = np.minimum(
        who["created"].min() + (rng.random(accounts) * 9 * DAY).astype(np.int64), who["since"] - HOUR
    )
    who["volume"] = heavy_tail(rng, accounts, exchanges, 1.0)
    return Group(who, natural_talk(world, rng, who, 3.5))


def framed(world: World, rng: np.random.Generator, accounts: int, exchanges: int) -> Group:
    """An innocent customer whose template an attacker copies, to have the customer accused."""
    who = staff(world, rng, accounts, "cloud")
    who["profile"], who["author"] = SERVICE, customer_wording(world)
    account = _spread(rng, who, exchanges)
    plan = visits(rng, who, account, moments(world, rng, who, account))
    plan["rule"], plan["system"] = world.rule("framed.prompt"), world.rule("framed.system")
    answer_in_tokens(rng, plan, 420.0, 0.6)
    return Group(who, plan)


def customer_wording(world: World) -> Array:
    """The author seed of the framed customer, which the copying attacker uses too."""
    return stir(world.seed, 404)[0]
