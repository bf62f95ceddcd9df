"""What STIX has no words for, as extension definitions with JSON schemas that ship beside this file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stillwatch.sharing.ids import canonical, derived
from stillwatch.sharing.tlp import EXTENSION, MARKINGS, PUBLISHED, Tlp

SCHEMAS = Path(__file__).parent / "schemas"
VERSION = "1.0.0"
SINCE = "2026-11-01T00:00:00.000Z"  # when the extensions were first published; a change makes a new version
PROJECT = derived("identity", "stillwatch")

TLS = "extension-definition--403dc397-a173-44e1-af12-bba948607107"
ACCOUNT = "extension-definition--be9a2787-c8bf-4955-84e1-64625dc5cf4c"
TEMPLATE = "extension-definition--102ad370-7cb8-4c0f-af4b-b5f82613416e"
PAYMENT = "extension-definition--17fe6224-ef4a-4c4d-951a-20abbdc6431b"
CAPABILITY = "extension-definition--a584609f-a01f-4d8e-a01c-c58f54425344"
EVIDENCE = "extension-definition--3d46258a-6e3e-4183-9c89-54e056e18c39"
STATISTICS = "extension-definition--8b0d6a3e-3f0c-4f6e-9a41-6b7f5c2d9e10"


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: what it adds, to what."""

    name: str
    text: str
    kind: str  # property-extension, new-sdo, new-sco
    on: str  # the object type that carries it


EXTENSIONS = {
    TLS: Extension("TLS client fingerprint", "JA4 or JA3 of the client that connected.", "property-extension",
                   "network-traffic"),
    ACCOUNT: Extension("LLM account", "A pseudonymous account of a model API, as a member of a campaign.",
                       "property-extension", "user-account"),
    TEMPLATE: Extension("Prompt template fingerprint",
                        "Hashes of a prompt template's frame under a public seed; never text.", "new-sco",
                        "x-stillwatch-prompt-template"),
    PAYMENT: Extension("Payment instrument hash", "A payment instrument, hashed with a key that two partners share.",
                       "new-sco", "x-stillwatch-payment-instrument"),
    CAPABILITY: Extension("LLM capability", "A capability of a model that a campaign seeks.", "new-sdo",
                          "x-stillwatch-llm-capability"),
    EVIDENCE: Extension("stillwatch evidence",
                        "How sure the producer is of a campaign, an indicator or a link: Admiralty pair and bits.",
                        "property-extension", "campaign"),
    STATISTICS: Extension("Exchange statistics", "How large a campaign is, in rounded numbers.", "property-extension",
                          "campaign"),
}  # fmt: skip


@cache
def schema(extension: str) -> dict[str, Any]:
    """Return the JSON schema of an extension."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{extension}.json").read_text(encoding="utf-8"))
    return loaded


def definition(extension: str) -> dict[str, Any]:
    """Return the extension-definition; its schema travels in it, so nobody has to fetch one."""
    common = {"type": "extension-definition", "spec_version": "2.1", "id": extension, "created_by_ref": PROJECT}
    if extension == EXTENSION:
        return common | {
            "created": PUBLISHED,
            "modified": PUBLISHED,
            "name": "TLP 2.0",
            "description": "The Traffic Light Protocol 2.0 as a marking.",
            "schema": "The value of tlp_2_0 is clear, green, amber, amber+strict or red.",
            "version": "1.0.0",
            "extension_types": ["property-extension"],
            "object_marking_refs": [MARKINGS[Tlp.CLEAR]],
        }
    one = EXTENSIONS[extension]
    return common | {
        "created": SINCE,
        "modified": SINCE,
        "name": one.name,
        "description": one.text,
        "schema": canonical(schema(extension)),
        "version": VERSION,
        "extension_types": [one.kind],
        "object_marking_refs": [MARKINGS[Tlp.CLEAR]],
    }


def project() -> dict[str, Any]:
    """Return who authors what every deployment shares alike: techniques, mitigations, capabilities, extensions."""
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": PROJECT,
        "created": SINCE,
        "modified": SINCE,
        "name": "stillwatch",
        "description": "The open-source project that defines these objects.",
        "identity_class": "system",
        "object_marking_refs": [MARKINGS[Tlp.CLEAR]],
    }
