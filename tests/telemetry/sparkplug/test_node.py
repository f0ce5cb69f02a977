"""A node's life at a real mosquitto: birth, data, rebirth, outage, death."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgeagent.settings.sections.sparkplug import SparkplugSettings
from edgeagent.telemetry.contract.messages import Alarm, Telemetry
from edgeagent.telemetry.sparkplug.node import BD_SEQ, REBIRTH, REBIRTHS, SparkplugNode
from tests.broker import PATIENCE, Mosquitto, free_port
from tests.telemetry.home_assistant.values import documented
from tests.telemetry.publishing import settings
from tests.telemetry.sparkplug import independent
from tests.telemetry.sparkplug.host import Host
from tests.telemetry.sparkplug.relay import Relay

TIME = "2026-01-31T12:00:00.000Z"
REBIRTH_NOW = independent.command(name=REBIRTH, datatype=11, boolean_value=True)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@contextmanager
def living(port: int, state: Path) -> Iterator[SparkplugNode]:
    node = SparkplugNode(SparkplugSettings(), settings(port), "board", state)
    node.record_alarm(Alarm(time=TIME, problems=()))
    node.record(telemetry(100))
    try:
        yield node
    finally:
        node.stop()


def telemetry(dropped: int, **system: Any) -> Telemetry:
    example = documented()
    changed = example.system.model_copy(update=system)
    return example.model_copy(update={"messages_dropped": dropped, "system": changed, "time": TIME})


def metrics(payload: Any) -> dict[str, Any]:
    return {metric.name: independent.value(metric) for metric in payload.metrics}


def aliases(birth: Any) -> dict[int, str]:
    return {metric.alias: metric.name for metric in birth.metrics if metric.HasField("alias")}


def test_birth_data_and_death(broker: Mosquitto, tmp_path: Path) -> None:
    with Host(broker.port) as host:
        with living(broker.port, tmp_path) as node:
            birth = host.wait_for("NBIRTH")
            node.record(telemetry(100))  # nothing has changed
            node.record(telemetry(101))
            data = host.wait_for("NDATA")
        death = host.wait_for("NDEATH")
        assert [(kind, qos, keep) for kind, _, qos, keep in host.arrived] == [
            ("NBIRTH", 0, False),
            ("NDATA", 0, False),
            ("NDEATH", 1, False),
        ]
    born = metrics(birth)
    assert (birth.seq, born[BD_SEQ], born[REBIRTH]) == (0, 0, False)
    assert born["Cameras/yard/fps_processed"] == documented().cameras["yard"].fps_processed
    assert born["Cameras/yard/end_to_end/p99_ms"] is None
    assert born["Cameras/yard/objects/person/current"] == 1
    assert born["Cameras/yard/objects/person/mean"] == 1.413
    assert born["Problems/not_detecting"] is False
    assert "Properties/Hardware Model" in born
    assert len(set(aliases(birth))) == len(birth.metrics) - 2
    assert REBIRTH not in aliases(birth).values()  # tck-id-operational-behavior-data-commands-rebirth-name
    assert born.get("Properties/Hardware Make") != "edgeagent"
    assert data.seq == 1
    (changed,) = data.metrics
    assert (aliases(birth)[changed.alias], independent.value(changed)) == ("Messages Dropped", 101)
    assert not changed.HasField("name")
    assert not changed.HasField("datatype")
    assert not death.HasField("seq")
    assert metrics(death) == {BD_SEQ: 0}


def test_seq_wraps_and_a_rebirth_begins_anew(broker: Mosquitto, tmp_path: Path) -> None:
    with Host(broker.port) as host, living(broker.port, tmp_path) as node:
        host.wait_for("NBIRTH")
        for number in range(258):
            node.record(telemetry(101 + number))
        last = host.wait_for("NDATA", 258)
        numbers = [payload.seq for _, payload, _, _ in host.arrived]
        assert numbers == [number % 256 for number in range(259)]
        assert last.seq == 2
        host.order(b"\xff")  # is ignored, as is a command for something else
        host.order(independent.command(name="x", datatype=11, boolean_value=True))
        host.order(independent.command(name=REBIRTH, datatype=11, boolean_value=False))
        host.order(independent.command(alias=0, datatype=11, boolean_value=True))  # it has no alias
        host.order(REBIRTH_NOW)
        again = host.wait_for("NBIRTH", 2)
        assert (again.seq, metrics(again)["Messages Dropped"], metrics(again)[BD_SEQ]) == (0, 358, 0)
        node.record(telemetry(400))
        assert host.wait_for("NDATA", 259).seq == 1


def test_a_metric_that_is_new_is_born(broker: Mosquitto, tmp_path: Path) -> None:
    with Host(broker.port) as host, living(broker.port, tmp_path) as node:
        first = host.wait_for("NBIRTH")
        node.record(telemetry(100, temperatures_c={"new zone": 33.0}))
        second = host.wait_for("NBIRTH", 2)
        assert metrics(second)["System/temperatures_c/new zone"] == 33.0
        assert aliases(first).items() <= aliases(second).items()


def test_a_reading_that_disappears_is_null_once(broker: Mosquitto, tmp_path: Path) -> None:
    name = "System/temperatures_c/cpu-thermal"
    with Host(broker.port) as host, living(broker.port, tmp_path) as node:
        names = aliases(host.wait_for("NBIRTH"))
        node.record(telemetry(100, temperatures_c={}))
        data = host.wait_for("NDATA")
        assert {names[metric.alias]: independent.value(metric) for metric in data.metrics}[name] is None
        node.record(telemetry(101, temperatures_c={}))
        (changed,) = host.wait_for("NDATA", 2).metrics
        assert names[changed.alias] == "Messages Dropped"
        host.order(REBIRTH_NOW)
        assert metrics(host.wait_for("NBIRTH", 2))[name] is None


def test_an_attempt_without_a_connection_uses_no_number(tmp_path: Path) -> None:
    (tmp_path / "sparkplug-bdseq").write_bytes(b"6")
    with living(free_port(), tmp_path) as node:
        assert not node.wait_for_connection(True, 2.5)  # two attempts or three
    assert (tmp_path / "sparkplug-bdseq").read_bytes() == b"6"


def test_a_flood_of_rebirths_is_bounded(
    broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Host(broker.port) as host, living(broker.port, tmp_path) as node:
        host.wait_for("NBIRTH")
        for _ in range(4 * REBIRTHS):
            host.order(REBIRTH_NOW)
        node.record(telemetry(101))
        host.wait_for("NDATA")
        node._give_birth()  # what the timer of the late birth does
        host.wait_for("NBIRTH", 1 + REBIRTHS + 1)
        births = sum(kind == "NBIRTH" for kind, _, _, _ in host.arrived)
        assert 2 <= births <= 2 * REBIRTHS
    assert "too many rebirths" in caplog.text


def test_what_was_made_while_the_broker_was_away_follows_the_birth_as_historical(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Host(broker.port) as host, Relay(broker.port) as relay, living(relay.port, tmp_path) as node:
        first = host.wait_for("NBIRTH")
        relay.cut()
        assert metrics(host.wait_for("NDEATH")) == {BD_SEQ: metrics(first)[BD_SEQ]}  # by the last will
        assert node.wait_for_connection(False, PATIENCE)
        for number in (101, 102):
            node.record(telemetry(number))
        relay.mend()
        birth = host.wait_for("NBIRTH", 2)
        past = [host.wait_for("NDATA", count) for count in (1, 2)]
        node.record(telemetry(103))
        present = host.wait_for("NDATA", 3)
    assert (birth.seq, [data.seq for data in past], present.seq) == (0, [1, 2], 3)
    assert (metrics(birth)[BD_SEQ], metrics(birth)["Messages Dropped"]) == (1, 102)
    assert not any(metric.is_historical for metric in [*birth.metrics, *present.metrics])
    names = aliases(birth)
    for data, number in zip(past, (101, 102), strict=True):
        assert all(metric.is_historical for metric in data.metrics)
        values = {names[metric.alias]: independent.value(metric) for metric in data.metrics}
        assert values["Messages Dropped"] == number


def test_the_number_of_births_goes_on_after_a_start_and_wraps(broker: Mosquitto, tmp_path: Path) -> None:
    with Host(broker.port) as host:
        (tmp_path / "sparkplug-bdseq").write_bytes(b"254")
        for count, expected in ((1, 255), (2, 0)):
            with living(broker.port, tmp_path):
                assert metrics(host.wait_for("NBIRTH", count))[BD_SEQ] == expected
            assert metrics(host.wait_for("NDEATH", count))[BD_SEQ] == expected
