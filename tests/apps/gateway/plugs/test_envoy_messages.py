"""Envoy's messages byte by byte, and without a package that generates them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from stillwatch.apps.gateway.plugs import envoy_messages as messages

WITHOUT_GENERATED_CODE = """
import asyncio
import json
import sys

BARRED = ("envoy", "xds", "udpa", "validate", "google.rpc")


class Bar:
    def find_spec(self, name, path=None, target=None):
        if any(name == barred or name.startswith(barred + ".") for barred in BARRED):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Bar())

import grpc

from stillwatch.apps.gateway.plugs import envoy, envoy_messages
from stillwatch.apps.gateway.plugs.underway import Underway
from tests.apps.gateway.plugs.table import CHAT, NAMES, Kept, Rules, chat


async def main():
    server, port = await envoy.serve(Underway(Rules(), Kept()), "127.0.0.1:0", envoy.Options(NAMES))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = channel.unary_unary(
            "/envoy.service.auth.v3.Authorization/Check",
            request_serializer=envoy_messages.CheckRequest.SerializeToString,
            response_deserializer=envoy_messages.CheckResponse.FromString,
        )
        http = {"method": "POST", "path": CHAT, "raw_body": json.dumps(chat("TEMPLATE-7")).encode()}
        answer = await check(envoy_messages.CheckRequest(attributes={"request": {"http": http}}))
        print(answer.denied_response.status.code)
    await server.stop(0)


asyncio.run(main())
"""


def part(number: int, content: bytes | str | int) -> bytes:
    """One field as protobuf writes it: the key, and a number below 128 squared or a content below 128 bytes."""
    if isinstance(content, int):
        return bytes([*plain(number << 3), *plain(content)])
    held = content.encode() if isinstance(content, str) else content
    assert len(held) < 128
    return bytes([*plain(number << 3 | 2), len(held)]) + held


def plain(value: int) -> list[int]:
    return [value] if value < 128 else [value & 127 | 128, value >> 7]


def test_envoy_is_answered_where_no_generated_code_can_be_imported() -> None:
    words = [sys.executable, "-c", WITHOUT_GENERATED_CODE]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[4])
    assert (done.stdout.split(), done.returncode) == (["403"], 0), done.stderr


def test_a_question_is_read_by_its_numbers_and_what_is_not_named_is_skipped() -> None:
    headers = part(3, part(1, "host") + part(2, "a.test")) + part(3, part(1, "x-key") + part(2, "k"))
    http = (
        part(1, "id") + part(2, "POST") + headers + part(4, "/v1") + part(9, 7) + part(11, "text") + part(12, b"\xff")
    )
    peer = part(1, part(1, part(1, 1) + part(2, "192.0.2.7") + part(3, 443))) + part(4, "principal")
    asked = messages.CheckRequest.FromString(part(1, part(1, peer) + part(4, part(2, http)) + part(12, b"")))
    read = asked.attributes.request.http
    assert (read.method, read.path, read.body, read.raw_body) == ("POST", "/v1", "text", b"\xff")
    assert dict(read.headers) == {"host": "a.test", "x-key": "k"}
    assert asked.attributes.source.address.socket_address.address == "192.0.2.7"


def test_a_refusal_is_written_by_its_numbers() -> None:
    made = messages.CheckResponse(
        status={"code": 7},
        denied_response={
            "status": {"code": 403},
            "headers": [{"header": {"key": "a", "value": "b"}, "append_action": messages.OVERWRITE_IF_EXISTS_OR_ADD}],
            "body": "no",
        },
    )
    made.dynamic_metadata.fields["rule"].string_value = ""
    header = part(1, part(1, "a") + part(2, "b")) + part(3, 2)
    denied = part(1, part(1, 403)) + part(2, header) + part(3, "no")
    told = part(1, part(1, "rule") + part(2, part(3, "")))
    assert made.SerializeToString() == part(1, part(1, 7)) + part(2, denied) + part(4, told)


def test_a_pass_is_written_by_its_numbers() -> None:
    header = {"header": {"key": "a", "value": "b"}, "append_action": messages.OVERWRITE_IF_EXISTS_OR_ADD}
    made = messages.CheckResponse(status={}, ok_response={"headers": [header], "headers_to_remove": ["c"]})
    ok = part(2, part(1, part(1, "a") + part(2, "b")) + part(3, 2)) + part(5, "c")
    assert made.SerializeToString() == part(1, b"") + part(3, ok)


def test_a_report_is_read_by_its_numbers() -> None:
    told = part(1, part(1, "exchange_id") + part(2, part(3, "x-1")))
    common = part(15, "upstream") + part(17, part(1, part(1, "filter") + part(2, told)))
    request, response = part(1, 3) + part(5, "/v1") + part(9, "r-1"), part(1, part(1, 429)) + part(2, 9)
    entry = part(1, common) + part(2, 2) + part(3, request) + part(4, response)
    (read,) = messages.StreamAccessLogsMessage.FromString(
        part(1, part(2, "log")) + part(2, part(1, entry))
    ).http_logs.log_entry
    assert read.common_properties.metadata.filter_metadata["filter"].fields["exchange_id"].string_value == "x-1"
    assert messages.METHODS[read.request.request_method] == "POST"
    assert (read.request.path, read.request.request_id, read.response.response_code.value) == ("/v1", "r-1", 429)


def test_nothing_of_ours_is_in_the_pool_that_generated_code_shares() -> None:
    shared = descriptor_pool.Default()
    assert messages.CheckRequest.DESCRIPTOR.file.pool is not shared
    with pytest.raises(KeyError):
        shared.FindFileByName(messages.CheckRequest.DESCRIPTOR.file.name)
