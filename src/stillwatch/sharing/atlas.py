"""MITRE ATLAS techniques of a campaign, when each is said, and what mitigates it (docs/reference/atlas.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stillwatch.sharing.case import Case

SOURCE = "mitre-atlas"
CASE_STUDY = "AML.CS0056"  # published campaigns with the same chain of techniques; says nothing about who this one is


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique: its name and tactic in ATLAS, and what a campaign must show for it. No signals: every campaign."""

    name: str
    tactic: str
    shown_by: str
    signals: frozenset[str] = frozenset()


TECHNIQUES: Mapping[str, Technique] = {
    "AML.T0008.005": Technique("AI Service Proxies", "resource-development",
                               "most of its accounts belong to a pool", frozenset()),
    "AML.T0021": Technique("Establish Accounts", "resource-development",
                           "its accounts were made or paid for together",
                           frozenset({"signup-burst", "disposable-identity", "shared-signup-address", "shared-payment",
                                      "shared-phone", "joint-onset", "replacement-after-ban"})),
    "AML.T0065": Technique("LLM Prompt Crafting", "resource-development",
                           "its prompts fill templates or ask for traces or gradings",
                           frozenset({"template-co-use", "template-novelty", "trace-elicitation", "rubric-elicitation",
                                      "coverage-slope"})),
    "AML.T0012": Technique("Valid Accounts", "initial-access",
                           "accounts of a programme do work that is not its own", frozenset({"programme-mismatch"})),
    "AML.T0040": Technique("AI Model Inference API Access", "ai-model-access", "every campaign"),
    "AML.T0024.002": Technique("Extract AI Model", "exfiltration", "every campaign"),
    "AML.T0048.004": Technique("AI Intellectual Property Theft", "impact", "every campaign"),
}  # fmt: skip
POOLED = "AML.T0008.005"


@dataclass(frozen=True, slots=True)
class Mitigation:
    """A course of action: an ATLAS mitigation by its id, or one that ATLAS has not and we propose (no id)."""

    mitigation_id: str
    name: str
    text: str
    against: tuple[str, ...]


PROPOSED = "proposed"
MITIGATIONS: tuple[Mitigation, ...] = (
    Mitigation("AML.M0004", "Restrict Number of AI Model Queries",
               "One pooled budget for the accounts of a campaign, with an expiry and the reason in the refusal.",
               ("AML.T0024.002",)),
    Mitigation("AML.M0019", "Control Access to AI Models and Data in Production",
               "Stronger verification of all accounts of a campaign at once, lifted on success.",
               ("AML.T0040", "AML.T0024.002")),
    Mitigation("AML.M0024", "AI Telemetry Logging",
               "Keep what links accounts (addresses, clients, payment, template keys) long enough to see a campaign.",
               ("AML.T0024.002", "AML.T0040")),
    Mitigation(PROPOSED, "Account Network Detection",
               "Judge accounts together: link those that share rare infrastructure, funding and templates, ask whether "
               "the traffic is shaped to train a model and whether that is hidden, and act on the whole network by "
               "name, with expiry and appeal.",
               ("AML.T0008.005", "AML.T0021")),
)  # fmt: skip


def techniques_of(case: Case) -> tuple[str, ...]:
    """Return the ids of what a campaign shows, in the order of the chain."""
    spoke = {term.signal for term in case.evidence if term.bits > 0}
    return tuple(name for name, one in TECHNIQUES.items() if _shows(name, one, case, spoke))


def _shows(name: str, one: Technique, case: Case, spoke: set[str]) -> bool:
    if name == POOLED:
        return case.campaign.pool_id is not None
    return bool(one.signals & spoke) if one.signals else True
