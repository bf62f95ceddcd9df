"""What a rule may ask about: one flat, typed record of a request, its account and what is known of both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attributes:
    """Everything that a rule can name. Absent text is "", absent numbers -1: a rule never meets a null."""

    # the request
    model: str = ""
    endpoint: str = ""  # chat.completions, responses, embeddings, models, messages, count_tokens
    channel: str = ""
    capability: str = ""  # as the sketch reads it: coding, agentic, …
    asks_reasoning: bool = False  # asks for reasoning to be written out
    grades: bool = False  # uses the model as a grader
    max_tokens: int = -1
    stream: bool = False
    prompt_bytes: int = 0
    handle: str = ""  # of those that it carries: bound, unbound; or why one fails: other-account, other-conversation, …
    # the account
    account: str = ""
    organisation: str = ""
    plan: str = ""
    verification: str = "none"  # none, email, phone, payment, business
    programme: str = ""
    account_age_days: float = -1.0
    licensed: bool = False  # a licence that is valid now covers this model and capability
    licence: str = ""  # id of that licence
    licence_tokens_left: int = -1  # output tokens that it still covers; -1: any number
    declared_use: bool = False  # of this account, whatever for
    suspended: bool = False  # by an approved action that has not expired
    verified_since: float = -1.0  # days since the account verified itself after being asked to
    # what detection concluded about the account, or about the campaign that the request continues
    verdict: str = "clear"
    p: float = 0.0
    coordination_bits: float = 0.0
    extraction_bits: float = 0.0
    deception_bits: float = 0.0
    campaign: str = ""  # id
    campaign_accounts: int = 0
    campaign_approved: bool = False  # a person approved acting on it
    # how this request matches known campaigns; a member's own campaign counts as a match of every family that ties it
    member: bool = False  # the account is a tied member
    match_content: bool = False  # its template belongs to the campaign alone
    match_infrastructure: bool = False
    match_funding: bool = False
    match_artefact: bool = False  # carries a reasoning handle that was minted for another account
    match_families: int = 0
    # volumes of the account, and of the campaign's accounts together
    exchanges_hour: int = 0
    exchanges_day: int = 0
    output_tokens_day: int = 0
    campaign_exchanges_day: int = 0
