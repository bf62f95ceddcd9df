"""Whatever is sent, the answer is one that the standard has, with a reason, and the server goes on."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stillwatch.sharing.taxii.words import TAXII
from tests.apps.taxii.running import INBOX, Reply, Running
from tests.sharing.taxii.made import MARKS, relation, stix

often = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GOOD = [stix(number=1), stix("campaign", number=2, mark="red"), relation(stix(number=1), stix("campaign", number=2))]
SERVED = {200, 202, 400, 401, 403, 404, 405, 406, 413, 415, 422}

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(
    ["type", "id", "spec_version", "created", "modified", "pattern", "pattern_type", "object_refs", "source_ref",
     "created_by_ref", "object_marking_refs", "granular_markings", "extensions", "name", "valid_from", "confidence"]
) | st.text(max_size=8)  # fmt: skip


@st.composite
def bent(draw: st.DrawFn) -> dict[str, Any]:
    """A good object with some of its properties replaced by anything, or taken out."""
    found = dict(draw(st.sampled_from(GOOD)))
    for key in draw(st.lists(keys, max_size=3)):
        if draw(st.booleans()):
            found[key] = draw(values | st.sampled_from([GOOD[0]["id"], list(MARKS.values()), [GOOD[1]["id"]]]))
        else:
            found.pop(key, None)
    return found


def post(server: Running, body: bytes, headers: dict[str, str | None] | None = None) -> Reply:
    found = server["north"].ask("POST", INBOX + "objects/", body, headers)
    assert found.status in SERVED
    assert found.headers["content-type"] == TAXII
    if found.status != 202:
        assert found.json()["title"]
        assert found.json()["http_status"] == str(found.status)
    return found


@often
@given(objects=st.lists(bent() | values, max_size=6))
def test_every_object_is_stored_or_refused_with_a_reason(server: Running, objects: list[Any]) -> None:
    found = post(server, json.dumps({"objects": objects}).encode())
    assert found.status == 202
    status = found.json()
    assert status["total_count"] == status["success_count"] + status["failure_count"] == len(objects)
    for failure in status.get("failures", ()):
        assert failure["message"]
        assert failure["id"]
    served = server["north"].get(INBOX + "objects/", version="all")
    assert served.status == 200
    json.loads(served.body, parse_constant=pytest.fail)  # what is served is strict JSON


@often
@given(body=st.binary(max_size=300))
@example(body=b"\x00")
@example(body=b'{"objects": [' + b'{"a":' * 50_000)
@example(body=b'{"objects": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}")
@example(body=b'{"objects": [' + b"1" * 100_000 + b"]}")
@example(body=b'{"objects": [1e1000000000]}')
def test_any_bytes_at_all(server: Running, body: bytes) -> None:
    post(server, body)


@often
@given(data=st.data())
def test_an_envelope_with_bytes_changed_or_cut(server: Running, data: st.DataObject) -> None:
    body = bytearray(json.dumps({"objects": GOOD}).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    post(server, bytes(body[: data.draw(st.integers(0, len(body)))]))


@often
@given(
    path=st.lists(st.sampled_from(["hub", "taxii2", "collections", "inbox", "objects", "manifest", "versions", "status",
                                   "..", "%00", "%2e%2e", GOOD[0]["id"], "%ff", "a" * 500]), max_size=6),
    query=st.dictionaries(
        st.sampled_from(["limit", "next", "added_after", "match[id]", "match[type]", "match[version]", "x"]),
        st.text(max_size=12) | st.sampled_from(["all", "last,first", "2026-01-01T00:00:00Z", "1" * 30, "' OR 1=1 --"]),
        max_size=3,
    ),
    method=st.sampled_from(["GET", "HEAD", "DELETE", "PUT", "OPTIONS", "PATCH"]),
)  # fmt: skip
def test_any_path_and_any_query(server: Running, path: list[str], query: dict[str, str], method: str) -> None:
    from urllib.parse import urlencode

    line = (
        "/" + "/".join(path) + "/?" + urlencode({key: value.encode("utf-8", "replace") for key, value in query.items()})
    )
    found = server["north"].ask(method, line)
    assert found.status in SERVED
    assert found.headers["content-type"] == TAXII


@often
@given(
    name=st.sampled_from(["Accept", "Content-Type", "Authorization", "Content-Encoding", "Range", "X-Anything"]),
    value=st.text(string.ascii_letters + string.digits + ";,=/*+ \"'", max_size=60).map(str.strip),
)
def test_any_header(server: Running, name: str, value: str) -> None:
    post(server, b'{"objects": []}', {name: value})


def test_the_server_is_up_after_all_that(server: Running) -> None:
    assert server["north"].get("/taxii2/").status == 200
    one = stix()
    assert server["north"].post(INBOX, one).json()["success_count"] == 1
    assert server["north"].get(f"{INBOX}objects/{one['id']}/").json()["objects"] == [one]
