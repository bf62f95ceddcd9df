"""What a log makes possible: each ability named by its idea, and the columns it cannot do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SUPPORTED, PARTLY, NOT = "supported", "partly", "not"
ENOUGH = 0.5  # share of rows with a value; below it an absence says more about the log than about an account


@dataclass(frozen=True, slots=True)
class Ability:
    """Something stillwatch can see. Each group of `needs` must be met by one of its columns; `helps` sharpen it."""

    name: str
    needs: tuple[tuple[str, ...], ...]
    helps: tuple[str, ...] = ()
    condition: str = ""  # a fact about the log itself, beyond columns: see `validate`


@dataclass(frozen=True, slots=True)
class Supported:
    """Whether this log supports an ability, why not, and the columns that would enable it."""

    ability: str
    state: str  # supported, partly, not
    because: str
    enable: tuple[str, ...] = ()


FRAME = ("prompt", "template_key")
ABILITIES: tuple[Ability, ...] = (
    Ability("template reuse", (FRAME,)),
    Ability("question-pool partition", (FRAME, ("prompt", "fill_hash"))),
    Ability("reasoning elicitation", (("prompt",),), ("system_prompt",)),
    Ability("shared system prompts and tools", (("system_prompt", "tools"),)),
    Ability("shared addresses", (("ip",),), ("asn", "country")),
    Ability("shared client stack", (("tls_fingerprint", "user_agent"),)),
    Ability("stack mismatch", (("tls_fingerprint",), ("user_agent",))),
    Ability("shared keys", (("api_key_id",),)),
    Ability("synchrony", (("ts",),), condition="fine times"),
    Ability("joint pivot", (("model",),), condition="two models"),
    Ability("failover", (("status",),), ("api_key_id", "channel")),
    Ability("volume and length of answers", (("output_tokens",),), ("max_tokens", "input_tokens")),
    Ability("sampling for training data", (("temperature", "n"),), ("max_tokens", "turns")),
    Ability("artefact replay", (("artefacts_out",), ("artefacts_in",))),
    Ability("shared funding", (("accounts.payment_fingerprint",),), ("accounts.phone_hash",)),
    Ability("signup bursts", (("accounts.created_at",),), ("accounts.email_domain", "accounts.signup_ip")),
    Ability("subscription to usage", (("accounts.created_at",),), ("accounts.plan",)),
    Ability("replacement after bans", (("accounts.created_at",), ("accounts.suspended_at",))),
    Ability("misused programmes", (("accounts.program",),), ("accounts.verification",)),
    Ability("licences", (("licences.licence_id",),), ("accounts.org_id",)),
    Ability("answers in training data", (("response",),)),
)
# columns where a value on few rows is the normal case
SPARSE = frozenset(
    {"accounts.suspended_at", "artefacts_in", "artefacts_out", "accounts.program", "tools", "system_prompt"}
)


def weigh_abilities(shares: Mapping[str, float], unmet: Mapping[str, str]) -> tuple[Supported, ...]:
    """Say of each ability whether the log supports it.

    `shares` holds the share of rows with a value, by column (0 to 1; tables other than the log are prefixed). `unmet`
    gives the reason for each condition that the log does not meet.
    """
    return tuple(_weigh(ability, shares, unmet) for ability in ABILITIES)


def _weigh(ability: Ability, shares: Mapping[str, float], unmet: Mapping[str, str]) -> Supported:
    best = {group: max(group, key=lambda name: shares.get(name, 0.0)) for group in ability.needs}
    lacking = tuple(" or ".join(group) for group, name in best.items() if not shares.get(name))
    if lacking:
        return Supported(ability.name, NOT, f"no values in {', '.join(lacking)}", lacking)
    if ability.condition in unmet:
        return Supported(ability.name, PARTLY, unmet[ability.condition])
    thin = [name for name in best.values() if shares[name] < ENOUGH and name not in SPARSE]
    if thin:
        because = "; ".join(f"{name} has values on {shares[name]:.0%} of rows" for name in thin)
        return Supported(ability.name, PARTLY, because, tuple(thin))
    blunt = tuple(name for name in ability.helps if not shares.get(name))
    because = f"sharper with {', '.join(blunt)}" if blunt else "its columns have values"
    return Supported(ability.name, SUPPORTED, because, blunt)
