"""The encoding: read back by protobuf's runtime, and by another implementation where it is installed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.telemetry.sparkplug.payload import (
    DataType,
    MetricValue,
    NodeCommand,
    SparkplugMetric,
    decode_commands,
    encode_payload,
)
from tests.telemetry.sparkplug import independent

NOW = 1_769_860_800_000
CASES: list[tuple[DataType, MetricValue]] = [
    (DataType.INT64, 0),
    (DataType.INT64, 255),
    (DataType.UINT64, 2**63),
    (DataType.DOUBLE, -12.25),
    (DataType.BOOLEAN, True),
    (DataType.BOOLEAN, False),
    (DataType.STRING, "Zürich ☃"),
    (DataType.STRING, ""),
    (DataType.DOUBLE, None),
]


@pytest.mark.parametrize(("datatype", "value"), CASES)
def test_a_metric_is_read_as_it_was_written(datatype: DataType, value: MetricValue) -> None:
    metrics = [
        SparkplugMetric("a/b", datatype, value, NOW, alias=300),
        SparkplugMetric(None, datatype, value, 5, 0, True),
    ]
    payload = independent.parse(encode_payload(metrics, NOW, 200))
    assert (payload.timestamp, payload.seq) == (NOW, 200)
    named, other = payload.metrics
    assert (named.name, named.alias, named.timestamp, named.datatype) == ("a/b", 300, NOW, datatype)
    assert (other.HasField("name"), other.HasField("alias"), other.alias) == (False, True, 0)
    assert not other.HasField("datatype")
    assert (named.is_historical, other.is_historical) == (False, True)
    assert independent.value(named) == independent.value(other) == value


def test_a_death_has_no_seq_and_another_payload_has_one_of_zero() -> None:
    assert not independent.parse(encode_payload([], NOW, None)).HasField("seq")
    assert independent.parse(encode_payload([], NOW, 0)).HasField("seq")


def test_another_implementation_reads_a_birth() -> None:
    other = pytest.importorskip("pysparkplug", reason="pysparkplug is not installed (pip install --no-deps)")
    metrics = [
        SparkplugMetric(f"m{number}", datatype, value, NOW, number)
        for number, (datatype, value) in enumerate(CASES)
        if value is not None
    ]
    birth = other.NBirth.decode(encode_payload(metrics, NOW, 0))
    assert (birth.timestamp, birth.seq) == (NOW, 0)
    found = {metric.name: (int(metric.datatype), metric.value, metric.alias) for metric in birth.metrics}
    assert found == {m.name: (m.datatype, m.value, m.alias) for m in metrics}


def test_commands_are_understood() -> None:
    by_name = independent.command(name="Node Control/Rebirth", datatype=11, boolean_value=True)
    by_alias = independent.command(alias=7, timestamp=3, datatype=11, boolean_value=False)
    number = independent.command(name="x", datatype=10, double_value=1.5)
    fraction = independent.command(name="x", datatype=9, float_value=1.5)
    assert decode_commands(by_name) == [NodeCommand("Node Control/Rebirth", None, True)]
    assert decode_commands(by_alias) == [NodeCommand(None, 7, False)]
    assert decode_commands(number) == decode_commands(fraction) == [NodeCommand("x", None, None)]
    assert decode_commands(b"") == []


@pytest.mark.parametrize(
    "content", [b"\x12", b"\x12\x05ab", b"\xff" * 11, b"\x0b", b"\x12\x03\x0a\x01\xff", b"x" * 70000]
)
def test_what_is_no_payload_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_commands(content)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    try:
        orders = decode_commands(content)
    except ValueError:
        return
    assert all(isinstance(order, NodeCommand) for order in orders)
