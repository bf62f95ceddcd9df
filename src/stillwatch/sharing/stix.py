"""What may leave of a campaign, as a STIX 2.1 bundle: who harvested what, through what, how sure, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.attribution.actors import OWNER
from stillwatch.model import Grade
from stillwatch.sharing.atlas import CASE_STUDY, MITIGATIONS, PROPOSED, SOURCE, TECHNIQUES
from stillwatch.sharing.author import Author, common, graded, stamp
from stillwatch.sharing.case import Kind
from stillwatch.sharing.extensions import ACCOUNT, CAPABILITY, EXTENSIONS, STATISTICS, definition, project
from stillwatch.sharing.ids import Json, canonical, derived, observable
from stillwatch.sharing.leaving import Indicator, Leaving
from stillwatch.sharing.operators import PublicHypothesis
from stillwatch.sharing.patterns import observables, pattern
from stillwatch.sharing.tlp import EXTENSION, MARKINGS, Tlp, marking

SELF_RATED = "B"  # usually reliable: what a producer says of itself; recipients put their own grade in its place
CREDIBILITY = {Grade.OBSERVED: 2, Grade.INFERRED: 3, Grade.REPORTED: 4}  # 1 needs a second, independent organisation
SAME_CHAIN = "A published case with the same chain of techniques; it says nothing about who this is."
NAMES = {
    Kind.ADDRESS: "Address of the campaign's accounts", Kind.PREFIX: "Network of the campaign's accounts",
    Kind.ASN: "System of the campaign's accounts", Kind.CLIENT: "TLS client of the campaign's accounts",
    Kind.USER_AGENT: "User agent of the campaign's accounts",
    Kind.MAIL_DOMAIN: "Mail domain of the campaign's accounts",
    Kind.PAYMENT: "Payment instrument of the campaign's accounts", Kind.TEMPLATE: "Prompt template of the campaign",
}  # fmt: skip
DESCRIBED = (
    "Shown by accounts of the campaign and, where it was seen, by hardly anybody else. It raises scrutiny; alone it is "
    "no ground to act against an account."
)
OVERTURN = (
    "What would overturn this: the accounts turn out to be one organisation or a reseller with a contract; a licence "
    "for the work exists; the template is public (a tool, a benchmark, a course). Tell the producer, who revokes it."
)


def bundle(leaving: Leaving) -> Json:
    """Return the bundle: the same bytes for the same decision, every reference inside, every indicator with an end."""
    author = Author(leaving.producer.name, leaving.tlp, leaving.since, leaving.until)
    campaign = _campaign(author, leaving)
    told = [_producer(author, leaving), campaign]
    told += _capabilities(author, leaving, campaign)
    told += _techniques(author, leaving, campaign)
    told += _who(author, leaving, campaign)
    told += _indicators(author, leaving, campaign)
    told += _notes(author, leaving, campaign)
    told.append(_report(author, leaving, told))
    objects = {one["id"]: one for one in [*_meta(told), *told]}
    name = derived("bundle", canonical(list(objects.values())))
    return {"type": "bundle", "id": name, "objects": list(objects.values())}


def _meta(told: Iterable[Json]) -> list[Json]:
    """Markings, extensions and the project: only those that are referred to."""
    text = canonical(list(told))
    levels = [level for level in Tlp if MARKINGS[level] in text or level is Tlp.CLEAR]
    used = [name for name in EXTENSIONS if name in text]
    return [project(), *map(marking, levels), *map(definition, [EXTENSION, *used])]


def _producer(author: Author, leaving: Leaving) -> Json:
    one = author.keep("identity", name=leaving.producer.name, identity_class="organization", sectors=["technology"],
                      contact_information=leaving.producer.contact)  # fmt: skip
    return one | {"id": author.identity, "object_marking_refs": [MARKINGS[Tlp.CLEAR]]}


def _campaign(author: Author, leaving: Leaving) -> Json:
    sought = ", ".join(name.replace("_", " ") for name, _ in leaving.capabilities)
    credibility = 2 if leaving.confidence >= 70 else 3
    numbers = {
        "accounts_at_least": leaving.accounts_at_least, "exchanges_at_least": leaving.exchanges_at_least,
        "output_tokens_at_least": leaving.output_tokens_at_least, "capabilities": dict(leaving.capabilities),
        "models": list(leaving.models),
    }  # fmt: skip
    extensions = graded(SELF_RATED, credibility, axes=dict(leaving.axes), detectors=[
        {"signal": one.signal, "axis": one.axis, "family": one.family, "bits": one.bits} for one in leaving.detectors
    ])  # fmt: skip
    extensions[STATISTICS] = {"extension_type": "property-extension", **{k: v for k, v in numbers.items() if v}}
    return author.write(
        "campaign", leaving.name,
        name=f"{'Suspected d' if leaving.suspected else 'D'}istillation campaign {leaving.name}",
        description="Coordinated accounts that harvest a model's outputs, judged on coordination, extraction and "
        "deception together.",
        objective="Harvest outputs to train a model" + (f": {sought}" if sought else ""),
        first_seen=stamp(leaving.first_seen), last_seen=stamp(leaving.last_seen), confidence=leaving.confidence,
        extensions=extensions,
    )  # fmt: skip


def _capabilities(author: Author, leaving: Leaving, campaign: Json) -> list[Json]:
    told = []
    for name, _ in leaving.capabilities:
        sought = common(
            "x-stillwatch-llm-capability", name, name=name, taxonomy="stillwatch-capabilities-1",
            extensions={CAPABILITY: {"extension_type": "new-sdo"}},
        )  # fmt: skip
        told += [
            sought,
            author.relate(campaign, "related-to", sought, description="The campaign seeks this capability."),
        ]
    return told


def _techniques(author: Author, leaving: Leaving, campaign: Json) -> list[Json]:
    told, known = [], {}
    for name in leaving.techniques:
        one = TECHNIQUES[name]
        known[name] = common(
            "attack-pattern", name, name=one.name, kill_chain_phases=[_phase(one.tactic)],
            external_references=[{"source_name": SOURCE, "external_id": name}],
        )  # fmt: skip
        told += [known[name], author.relate(campaign, "uses", known[name])]
    for each in MITIGATIONS:
        against = [known[name] for name in each.against if name in known]
        if against:
            action = common("course-of-action", each.name, name=each.name, description=each.text)
            if each.mitigation_id != PROPOSED:
                action["external_references"] = [{"source_name": SOURCE, "external_id": each.mitigation_id}]
            told += [action, *(author.relate(action, "mitigates", one) for one in against)]
    return told


def _phase(tactic: str) -> Json:
    return {"kill_chain_name": SOURCE, "phase_name": tactic}


def _who(author: Author, leaving: Leaving, campaign: Json) -> list[Json]:
    """Two layers: the pool and who runs it, the work and who ordered it. Unknown is a note, never an actor."""
    told: list[Json] = []
    pool = None
    if leaving.pool:
        pool = author.keep(
            "infrastructure", leaving.pool, name=f"Account pool {leaving.pool}", infrastructure_types=["anonymization"],
            description="Accounts that one operator runs, which may serve several owners of work.",
        )  # fmt: skip
        told += [pool, author.relate(campaign, "uses", pool, confidence=leaving.confidence)]
    for one in leaving.hypotheses:
        if one.name is None:
            told.append(_unknown(author, one, campaign))
        elif one.role == OWNER:
            told += _hypothesis(author, one, ("threat-actor", campaign))
        elif pool is not None:
            told += _hypothesis(author, one, ("intrusion-set", pool))
    return told


def _hypothesis(author: Author, one: PublicHypothesis, about: tuple[str, Json]) -> list[Json]:
    kind, thing = about
    name = one.name or ""
    more = {"threat_actor_types": ["unknown"]} if kind == "threat-actor" else {"goals": ["resell access to models"]}
    actor = author.keep(
        kind, one.role, name, name=name if one.published else f"Unnamed {one.role} {name}", **more,
        description=f"A hypothesis about a {one.role}; how likely it is stands on each link to it.",
    )  # fmt: skip
    source, verb, target = (thing, "attributed-to", actor) if kind == "threat-actor" else (actor, "owns", thing)
    grade = graded(SELF_RATED, CREDIBILITY[one.grade])
    link = author.relate(source, verb, target, confidence=one.confidence, extensions=grade)
    return [actor, link, _opinion(author, link, one.confidence)]


def _unknown(author: Author, one: PublicHypothesis, campaign: Json) -> Json:
    asked = "Who ordered the work" if one.role == OWNER else "Who runs its accounts"
    return author.write(
        "note", one.role, "unknown", campaign["id"], abstract=f"{asked} is unknown",
        content=f"{asked} is unknown with a probability of about {one.confidence} %: nobody is named for it.",
        object_refs=[campaign["id"]], confidence=one.confidence,
    )  # fmt: skip


def _opinion(author: Author, thing: Json, confidence: int) -> Json:
    scale = ((85, "strongly-agree"), (70, "agree"), (50, "neutral"), (30, "disagree"))
    word = next((word for least, word in scale if confidence >= least), "strongly-disagree")
    return author.write(
        "opinion", thing["id"], opinion=word, object_refs=[thing["id"]], confidence=confidence,
        explanation="The producer's own view, from its probability; an analyst read and approved the export.",
    )  # fmt: skip


def _indicators(author: Author, leaving: Leaving, campaign: Json) -> list[Json]:
    told: list[Json] = []
    for one in leaving.indicators:
        seen = [_marked(leaving, each)
                for each in observables(one.kind, one.value, leaving.producer.endpoint, leaving.key_id)]  # fmt: skip
        observed = _observed(author, leaving, seen, one.exchanges_at_least)
        indicator = author.write(
            "indicator", leaving.name, one.kind.value, one.value, name=NAMES[one.kind], description=DESCRIBED,
            indicator_types=["malicious-activity"], kill_chain_phases=[_phase("exfiltration")],
            pattern=pattern(one.kind, one.value, leaving.key_id), pattern_type="stix", pattern_version="2.1",
            valid_from=stamp(one.valid_from), valid_until=stamp(one.valid_until), confidence=one.confidence,
            extensions=graded(SELF_RATED, 2),
        )  # fmt: skip
        told += [*seen, observed, indicator, _sighting(author, leaving, one, (indicator, observed))]
        told += [author.relate(indicator, "indicates", campaign, confidence=one.confidence)]
        told += [author.relate(indicator, "based-on", observed)]
    if leaving.accounts:
        members = [_marked(leaving, _account(leaving, name)) for name in leaving.accounts]
        told += [*members, _observed(author, leaving, members, leaving.exchanges_at_least)]
    return told


def _observed(author: Author, leaving: Leaving, seen: list[Json], times: int | None) -> Json:
    return author.write(
        "observed-data", leaving.name, *(each["id"] for each in seen), number_observed=max(times or 1, 1),
        first_observed=stamp(leaving.first_seen), last_observed=stamp(leaving.last_seen),
        object_refs=[each["id"] for each in seen],
    )  # fmt: skip


def _sighting(author: Author, leaving: Leaving, one: Indicator, pair: tuple[Json, Json]) -> Json:
    indicator, observed = pair
    return author.write(
        "sighting", indicator["id"], sighting_of_ref=indicator["id"], observed_data_refs=[observed["id"]],
        where_sighted_refs=[author.identity], first_seen=stamp(leaving.first_seen), last_seen=stamp(leaving.last_seen),
        count=one.exchanges_at_least, confidence=one.confidence,
    )  # fmt: skip


def _marked(leaving: Leaving, seen: Json) -> Json:
    """Mark an observable too: a server that filters by level must not take it for one that anybody may have."""
    return seen | {"object_marking_refs": [MARKINGS[leaving.tlp]]}


def _account(leaving: Leaving, name: str) -> Json:
    own = {"extension_type": "property-extension", "pseudonym": name, "campaign": leaving.name}
    return {"type": "user-account", "spec_version": "2.1", "id": observable("user-account", {"user_id": name}),
            "user_id": name, "extensions": {ACCOUNT: own}}  # fmt: skip


def _notes(author: Author, leaving: Leaving, campaign: Json) -> list[Json]:
    doubt = author.write("note", "overturn", campaign["id"], abstract="What would overturn this", content=OVERTURN,
                         object_refs=[campaign["id"]])  # fmt: skip
    return [doubt, _opinion(author, campaign, leaving.confidence)]


def _report(author: Author, leaving: Leaving, told: Iterable[Json]) -> Json:
    held = [one["id"] for one in told if one["type"] not in ("identity", "relationship") and "created" in one]
    return author.write(
        "report", leaving.name, name=f"Distillation campaign {leaving.name}", report_types=["campaign"],
        description="Everything that the producer shares of this campaign at this level.",
        published=stamp(leaving.until), object_refs=held, confidence=leaving.confidence,
        external_references=[{"source_name": SOURCE, "external_id": CASE_STUDY, "description": SAME_CHAIN}],
    )  # fmt: skip
