"""The input contract: names and types of every column, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an input table. `kind` is an Ibis type; `required` rows without it are rejected."""

    name: str
    kind: str
    required: bool
    meaning: str


EXCHANGE_COLUMNS: tuple[Column, ...] = (
    Column("exchange_id", "string", True, "unique name of the exchange"),
    Column("ts", "timestamp", True, "when the exchange was asked, UTC"),
    Column("account_id", "string", True, "the billed identity"),
    Column("model", "string", True, "the model that answered"),
    Column("prompt", "string", False, "last user message"),
    Column("template_key", "string", False, "template key made elsewhere, in place of the prompt"),
    Column("fill_hash", "string", False, "hash of the slot fills made elsewhere, in place of the prompt"),
    Column("system_prompt", "string", False, "system prompt"),
    Column("tools", "array<string>", False, "names of the tools offered"),
    Column("turns", "int64", False, "messages in the conversation"),
    Column("input_tokens", "int64", False, "tokens read"),
    Column("output_tokens", "int64", False, "tokens written"),
    Column("max_tokens", "int64", False, "limit asked for the answer"),
    Column("temperature", "float64", False, "sampling temperature asked"),
    Column("n", "int64", False, "answers asked for one prompt"),
    Column("stream", "boolean", False, "whether the answer was streamed"),
    Column("ip", "string", False, "client address, v4 or v6"),
    Column("asn", "int64", False, "autonomous system of the address"),
    Column("country", "string", False, "ISO 3166-1 alpha-2"),
    Column("user_agent", "string", False, "client's user agent"),
    Column("tls_fingerprint", "string", False, "JA4 or JA3"),
    Column("api_key_id", "string", False, "the key used, never the key itself"),
    Column("channel", "string", False, "first-party, bedrock, vertex, …"),
    Column("endpoint", "string", False, "route called"),
    Column("status", "int64", False, "HTTP status served"),
    Column("artefacts_out", "array<string>", False, "keyed hashes of opaque handles minted in this answer"),
    Column("artefacts_in", "array<string>", False, "keyed hashes of opaque handles submitted with this exchange"),
    Column("response", "string", False, "the answer; only provenance needs it"),
)

ACCOUNT_COLUMNS: tuple[Column, ...] = (
    Column("account_id", "string", True, "the billed identity"),
    Column("created_at", "timestamp", False, "signup, UTC"),
    Column("org_id", "string", False, "declared organisation"),
    Column("email_domain", "string", False, "domain of the mail address"),
    Column("payment_fingerprint", "string", False, "keyed hash of the payment instrument"),
    Column("phone_hash", "string", False, "keyed hash of the phone number"),
    Column("signup_ip", "string", False, "address at signup"),
    Column("country", "string", False, "ISO 3166-1 alpha-2, declared"),
    Column("verification", "string", False, "none, email, phone, payment, business"),
    Column("plan", "string", False, "price plan"),
    Column("program", "string", False, "education, research, startup, …"),
    Column("suspended_at", "timestamp", False, "when access was withdrawn"),
)

LICENCE_COLUMNS: tuple[Column, ...] = (
    Column("licence_id", "string", True, "name of the authorisation"),
    Column("org_id", "string", False, "organisation it covers; this or account_id is required"),
    Column("account_id", "string", False, "account it covers; this or org_id is required"),
    Column("models", "array<string>", False, "models covered; empty means any"),
    Column("capabilities", "array<string>", False, "capabilities covered; empty means any"),
    Column("max_output_tokens", "int64", False, "volume covered; empty means any"),
    Column("valid_from", "timestamp", False, "start, UTC; empty means always"),
    Column("valid_until", "timestamp", False, "end, UTC; empty means for ever"),
)
