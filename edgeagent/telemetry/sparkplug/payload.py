"""Sparkplug B 3.0 payloads: the subset of fields that the agent uses, in the protobuf wire format.

Field numbers are those of Eclipse's sparkplug_b.proto (specification 3.0, chapter 6): of a payload timestamp
1, metrics 2, seq 3; of a metric name 1, alias 2, timestamp 3, datatype 4, is_historical 5, is_null 7,
int_value 10, long_value 11, double_value 13, boolean_value 14, string_value 15. Wire types: protobuf.dev,
"Encoding". Why this is not generated code: docs/adr/0020-adapters.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from edgeagent.files.protobuf import FIXED64, LENGTH, VARINT, Content, Field, ProtobufMessage

MetricValue = int | float | bool | str | None

MOST_BYTES = 65536


class DataType(IntEnum):
    """Data types of the specification, 6.4.16, that the agent uses."""

    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


@dataclass(frozen=True)
class SparkplugMetric:
    """Metric of a payload.

    Attributes:
        name: name of the metric; None where its alias identifies it.
        datatype: data type of the value; it is sent with the name only.
        value: value; None is null.
        timestamp_ms: milliseconds since the epoch.
        alias: number in place of the name; None without one.
        historical: whether the value is of the past, and does not replace a newer one.
    """

    name: str | None
    datatype: DataType
    value: MetricValue
    timestamp_ms: int
    alias: int | None = None
    historical: bool = False


@dataclass(frozen=True)
class NodeCommand:
    """Metric of a command; only Boolean values are supported."""

    name: str | None
    alias: int | None
    boolean: bool | None


def encode_payload(metrics: Sequence[SparkplugMetric], timestamp_ms: int, seq: int | None) -> bytes:
    """Return the bytes of a payload; an NDEATH has no ``seq``."""
    fields = [
        Field(1, VARINT, timestamp_ms),
        *(Field(2, LENGTH, ProtobufMessage(_metric(metric)).encode()) for metric in metrics),
    ]
    if seq is not None:
        fields.append(Field(3, VARINT, seq))
    return ProtobufMessage(fields).encode()


def decode_commands(payload: bytes) -> list[NodeCommand]:
    """Return the metrics of a command.

    Raises:
        ValueError: the bytes are no payload, or more than :data:`MOST_BYTES`.
    """
    if len(payload) > MOST_BYTES:
        raise ValueError(f"{len(payload)} bytes")
    return [_command(metric) for metric in ProtobufMessage.parse(payload).parts(2)]


def _command(content: Content) -> NodeCommand:
    found = {field.number: field.value for field in ProtobufMessage.parse(content).fields}
    name, alias, boolean = found.get(1), found.get(2), found.get(14)
    return NodeCommand(
        None if name is None or isinstance(name, int) else bytes(name).decode(),
        alias if isinstance(alias, int) else None,
        bool(boolean) if isinstance(boolean, int) else None,
    )


def _metric(metric: SparkplugMetric) -> list[Field]:
    fields = []
    if metric.name is not None:
        fields.append(Field(1, LENGTH, metric.name.encode()))
    if metric.alias is not None:
        fields.append(Field(2, VARINT, metric.alias))
    fields.append(Field(3, VARINT, metric.timestamp_ms))
    if metric.name is not None:  # its birth has told the type (6.4.6)
        fields.append(Field(4, VARINT, metric.datatype))
    if metric.historical:
        fields.append(Field(5, VARINT, 1))
    fields.append(Field(7, VARINT, 1) if metric.value is None else _value(metric.datatype, metric.value))
    return fields


def _value(datatype: DataType, value: int | float | str) -> Field:
    if datatype is DataType.STRING:
        return Field(15, LENGTH, str(value).encode())
    if datatype is DataType.BOOLEAN:
        return Field(14, VARINT, int(bool(value)))
    if datatype is DataType.DOUBLE:
        return Field(13, FIXED64, struct.pack("<d", value))
    return Field(11, VARINT, int(value))  # a negative number as its two's complement
