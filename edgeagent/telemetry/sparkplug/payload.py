"""Sparkplug B 3.0 payloads: the subset of fields that the agent uses, in the protobuf wire format.

Field numbers are those of Eclipse's sparkplug_b.proto (specification 3.0, chapter 6): of a payload timestamp
1, metrics 2, seq 3; of a metric name 1, alias 2, timestamp 3, datatype 4, is_historical 5, is_null 7,
int_value 10, long_value 11, double_value 13, boolean_value 14, string_value 15. Wire types: protobuf.dev,
"Encoding". Why this is not generated code: docs/adr/0020-adapters.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

MetricValue = int | float | bool | str | None

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
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
    parts = [_number(1, timestamp_ms), *(_bytes(2, _metric(metric)) for metric in metrics)]
    if seq is not None:
        parts.append(_number(3, seq))
    return b"".join(parts)


def decode_commands(payload: bytes) -> list[NodeCommand]:
    """Return the metrics of a command.

    Raises:
        ValueError: the bytes are no payload, or more than :data:`MOST_BYTES`.
    """
    if len(payload) > MOST_BYTES:
        raise ValueError(f"{len(payload)} bytes")
    return [_command(value) for number, value in _fields(payload) if number == 2 and isinstance(value, bytes)]


def _command(content: bytes) -> NodeCommand:
    found = dict(_fields(content))
    name, alias, boolean = found.get(1), found.get(2), found.get(14)
    return NodeCommand(
        name.decode() if isinstance(name, bytes) else None,
        alias if isinstance(alias, int) else None,
        bool(boolean) if isinstance(boolean, int) else None,
    )


def _metric(metric: SparkplugMetric) -> bytes:
    parts = []
    if metric.name is not None:
        parts.append(_bytes(1, metric.name.encode()))
    if metric.alias is not None:
        parts.append(_number(2, metric.alias))
    parts.append(_number(3, metric.timestamp_ms))
    if metric.name is not None:  # its birth has told the type (6.4.6)
        parts.append(_number(4, metric.datatype))
    if metric.historical:
        parts.append(_number(5, 1))
    parts.append(_number(7, 1) if metric.value is None else _value(metric.datatype, metric.value))
    return b"".join(parts)


def _value(datatype: DataType, value: int | float | str) -> bytes:
    if datatype is DataType.STRING:
        return _bytes(15, str(value).encode())
    if datatype is DataType.BOOLEAN:
        return _number(14, int(bool(value)))
    if datatype is DataType.DOUBLE:
        return _key(13, FIXED64) + struct.pack("<d", value)
    return _number(11, int(value) & 0xFFFF_FFFF_FFFF_FFFF)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _number(number: int, value: int) -> bytes:
    return _key(number, VARINT) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _key(number, LENGTH) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field; fields of fixed width as bytes."""
    place = 0
    while place < len(content):
        key, place = _read_varint(content, place)
        wire = key & 7
        if wire == VARINT:
            value, place = _read_varint(content, place)
            yield key >> 3, value
            continue
        if wire == LENGTH:
            length, place = _read_varint(content, place)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {place}")
        if place + length > len(content):
            raise ValueError(f"the field at byte {place} exceeds the payload")
        yield key >> 3, content[place : place + length]
        place += length


def _read_varint(content: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(content):
            raise ValueError("a number exceeds the payload")
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError(f"the number at byte {place} has more than 64 bits")
