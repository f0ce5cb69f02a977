"""Payloads decoded by the runtime of protobuf, from a descriptor written after the specification's table."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields

Field = descriptor_pb2.FieldDescriptorProto
METRIC = {
    "name": (1, Field.TYPE_STRING),
    "alias": (2, Field.TYPE_UINT64),
    "timestamp": (3, Field.TYPE_UINT64),
    "datatype": (4, Field.TYPE_UINT32),
    "is_historical": (5, Field.TYPE_BOOL),
    "is_transient": (6, Field.TYPE_BOOL),
    "is_null": (7, Field.TYPE_BOOL),
    "int_value": (10, Field.TYPE_UINT32),
    "long_value": (11, Field.TYPE_UINT64),
    "float_value": (12, Field.TYPE_FLOAT),
    "double_value": (13, Field.TYPE_DOUBLE),
    "boolean_value": (14, Field.TYPE_BOOL),
    "string_value": (15, Field.TYPE_STRING),
}
VALUES = {4: "long_value", 8: "long_value", 10: "double_value", 11: "boolean_value", 12: "string_value"}


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="sparkplug_by_hand.proto", package="by_hand", syntax="proto2"
    )
    metric = file.message_type.add(name="Metric")
    for name, (number, kind) in METRIC.items():
        metric.field.add(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=Field.TYPE_UINT64, label=Field.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics",
        number=2,
        type=Field.TYPE_MESSAGE,
        type_name=".by_hand.Metric",
        label=Field.LABEL_REPEATED,
    )
    payload.field.add(name="seq", number=3, type=Field.TYPE_UINT64, label=Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("by_hand.Payload"))


PAYLOAD = _payload_class()


def parse(content: bytes) -> Any:
    """Return the payload, in which nothing is unknown."""
    payload = PAYLOAD()
    payload.ParseFromString(content)
    for part in (payload, *payload.metrics):
        assert len(unknown_fields.UnknownFieldSet(part)) == 0
    return payload


def value(metric: Any) -> Any:
    """The value of a metric; None is null."""
    if metric.is_null:
        return None
    if metric.HasField("datatype"):
        return getattr(metric, VALUES[metric.datatype])
    (field,) = {field for field in VALUES.values() if metric.HasField(field)}
    return getattr(metric, field)


def command(**fields: Any) -> bytes:
    """A command with one metric."""
    payload = PAYLOAD(timestamp=1)
    payload.metrics.add(**fields)
    content: bytes = payload.SerializeToString()
    return content
