"""What of Envoy's gRPC messages we read and write, with the numbers of its published .proto files.

On the wire a message is numbers and values: names, packages and whatever is left out here make no difference. A field
that is not named below is skipped. The types live in a pool of their own under a name of their own, so they meet no
generated code of Envoy's that the same process may hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "stillwatch.envoy"
AUTHORIZATION, ACCESS_LOG = "envoy.service.auth.v3.Authorization", "envoy.service.accesslog.v3.AccessLogService"
OVERWRITE_IF_EXISTS_OR_ADD = 2  # HeaderValueOption.HeaderAppendAction, envoy/config/core/v3/base.proto
METHODS = ("", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")  # RequestMethod, 0 to 9

# field: its number, how often it comes, its type. An enum is an int32 here: the same bytes.
SHAPES: dict[str, dict[str, str]] = {
    # envoy/service/auth/v3/external_auth.proto
    "CheckRequest": {"attributes": "1 one AttributeContext"},
    "CheckResponse": {
        "status": "1 one Status",
        "denied_response": "2 one DeniedHttpResponse",  # this or the next
        "ok_response": "3 one OkHttpResponse",
        "dynamic_metadata": "4 one Struct",
    },
    "DeniedHttpResponse": {
        "status": "1 one HttpStatus",
        "headers": "2 many HeaderValueOption",
        "body": "3 one string",
    },
    "OkHttpResponse": {"headers": "2 many HeaderValueOption", "headers_to_remove": "5 many string"},
    # envoy/service/auth/v3/attribute_context.proto
    "AttributeContext": {"source": "1 one Peer", "request": "4 one Request"},
    "Peer": {"address": "1 one Address"},
    "Request": {"http": "2 one HttpRequest"},
    "HttpRequest": {
        "method": "2 one string",
        "headers": "3 map string",
        "path": "4 one string",
        "body": "11 one string",
        "raw_body": "12 one bytes",
    },
    # envoy/service/accesslog/v3/als.proto
    "StreamAccessLogsMessage": {"http_logs": "2 one HTTPAccessLogEntries"},
    "HTTPAccessLogEntries": {"log_entry": "1 many HTTPAccessLogEntry"},
    "StreamAccessLogsResponse": {},
    # envoy/data/accesslog/v3/accesslog.proto
    "HTTPAccessLogEntry": {
        "common_properties": "1 one AccessLogCommon",
        "request": "3 one HTTPRequestProperties",
        "response": "4 one HTTPResponseProperties",
    },
    "AccessLogCommon": {"metadata": "17 one Metadata"},
    "HTTPRequestProperties": {
        "request_method": "1 one int32",  # place in METHODS
        "path": "5 one string",
        "request_id": "9 one string",
    },
    "HTTPResponseProperties": {"response_code": "1 one UInt32Value"},
    # envoy/config/core/v3/address.proto
    "Address": {"socket_address": "1 one SocketAddress"},
    "SocketAddress": {"address": "2 one string"},
    # envoy/config/core/v3/base.proto
    "Metadata": {"filter_metadata": "1 map Struct"},
    "HeaderValue": {"key": "1 one string", "value": "2 one string"},
    "HeaderValueOption": {"header": "1 one HeaderValue", "append_action": "3 one int32"},
    # envoy/type/v3/http_status.proto
    "HttpStatus": {"code": "1 one int32"},
    # google/rpc/status.proto
    "Status": {"code": "1 one int32"},
    # google/protobuf/struct.proto
    "Struct": {"fields": "1 map Value"},
    "Value": {"string_value": "3 choice string"},  # one of kinds: it is written when it is empty, too
    # google/protobuf/wrappers.proto
    "UInt32Value": {"value": "1 one uint32"},
}

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "string": Field.TYPE_STRING,
    "bytes": Field.TYPE_BYTES,
    "int32": Field.TYPE_INT32,
    "uint32": Field.TYPE_UINT32,
}


def _file() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="stillwatch/envoy.proto", package=PACKAGE, syntax="proto3")
    for name, fields in SHAPES.items():
        message = file.message_type.add(name=name)
        for field, shape in fields.items():
            _add(message, field, shape)
    return file


def _add(message: Any, name: str, shape: str) -> None:
    number, times, kind = shape.split()
    if times == "map":  # a map is a repeated message of key and value
        kind = f"{message.name}.{_add_entry(message, name, kind)}"
    field = message.field.add(name=name, number=int(number))
    field.label = Field.LABEL_REPEATED if times in ("many", "map") else Field.LABEL_OPTIONAL
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    if times == "choice":
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name="kind")


def _add_entry(message: Any, name: str, kind: str) -> str:
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    _add(entry, "key", "1 one string")
    _add(entry, "value", f"2 one {kind}")
    return str(entry.name)


POOL = descriptor_pool.DescriptorPool()
POOL.AddSerializedFile(_file().SerializeToString())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


CheckRequest, CheckResponse = _message("CheckRequest"), _message("CheckResponse")
StreamAccessLogsMessage = _message("StreamAccessLogsMessage")
StreamAccessLogsResponse = _message("StreamAccessLogsResponse")


def handlers(check: Callable[..., Any], stream: Callable[..., Any]) -> tuple[Any, ...]:
    """Return what lets a gRPC server answer Envoy's two calls, each with a function of message and context."""
    checks = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=CheckRequest.FromString,
        response_serializer=CheckResponse.SerializeToString,
    )
    streams = grpc.stream_unary_rpc_method_handler(
        stream,
        request_deserializer=StreamAccessLogsMessage.FromString,
        response_serializer=StreamAccessLogsResponse.SerializeToString,
    )
    return (
        grpc.method_handlers_generic_handler(AUTHORIZATION, {"Check": checks}),
        grpc.method_handlers_generic_handler(ACCESS_LOG, {"StreamAccessLogs": streams}),
    )
