"""STATE of the primary host at a real mosquitto: births and data only while it is online."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeagent.settings.sections.sparkplug import SparkplugSettings
from edgeagent.telemetry.contract.messages import Alarm
from edgeagent.telemetry.sparkplug.host_state import MOST_BYTES, HostState
from edgeagent.telemetry.sparkplug.node import BD_SEQ, SparkplugNode
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import settings
from tests.telemetry.sparkplug.host import Host
from tests.telemetry.sparkplug.relay import Relay
from tests.telemetry.sparkplug.test_node import REBIRTH_NOW, TIME, metrics, telemetry


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@contextmanager
def waiting(port: int, state: Path) -> Iterator[SparkplugNode]:
    """A connected node with the primary host ``scada``."""
    node = SparkplugNode(SparkplugSettings(primary_host="scada"), settings(port), "board", state)
    node.record_alarm(Alarm(time=TIME, problems=()))
    node.record(telemetry(100))
    assert node.wait_for_connection(True, PATIENCE)
    try:
        yield node
    finally:
        node.stop()


def wait_until_it_waits(node: SparkplugNode, broker: Mosquitto, connects: int) -> None:
    """Wait until the node has subscribed to STATE on so many connections."""
    deadline = time.monotonic() + PATIENCE
    while broker.log().count("Sending SUBACK to edgeagent-board-sparkplug") < 2 * connects:
        assert time.monotonic() < deadline, broker.log()
        node.wait_for_connection(True, 0.1)
        time.sleep(0.01)


def test_the_birth_waits_for_the_host_and_what_has_waited_follows(broker: Mosquitto, tmp_path: Path) -> None:
    with Host(broker.port) as host, waiting(broker.port, tmp_path) as node:
        wait_until_it_waits(node, broker, 1)
        for number in (101, 102):
            node.record(telemetry(number))
        host.order(REBIRTH_NOW)  # a rebirth does not replace STATE
        host.state(False, 5)
        host.state_payload(b"ONLINE")  # of Sparkplug 2.2
        host.state_payload(b'{"online": "true", "timestamp": 6}')
        assert host.kinds() == []
        host.state(True, 6)
        birth = host.wait_for("NBIRTH")
        past = [host.wait_for("NDATA", count) for count in (1, 2)]
        assert (birth.seq, metrics(birth)["Messages Dropped"], [data.seq for data in past]) == (
            0,
            102,
            [1, 2],
        )
        assert all(metric.is_historical for data in past for metric in data.metrics)
        node.record(telemetry(103))
        assert host.wait_for("NDATA", 3).seq == 3


def test_a_host_that_is_online_already_is_seen_in_its_retained_state(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Host(broker.port) as host:
        host.state(True, 5)
        with waiting(broker.port, tmp_path):
            assert host.wait_for("NBIRTH").seq == 0
        host.wait_for("NDEATH")
        assert host.kinds() == ["NBIRTH", "NDEATH"]


def test_a_host_that_goes_offline_ends_the_session_and_its_return_begins_the_next(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Host(broker.port) as host:
        host.state(True, 5)
        with waiting(broker.port, tmp_path) as node:
            host.wait_for("NBIRTH")
            host.state(False, 4)  # older than the last one: does not count
            node.record(telemetry(101))
            host.wait_for("NDATA")
            host.state(False, 5)  # as a last will, with the time of the birth
            assert metrics(host.wait_for("NDEATH")) == {BD_SEQ: 0}
            wait_until_it_waits(node, broker, 2)
            for number in (102, 103):
                node.record(telemetry(number))
            assert host.kinds() == ["NBIRTH", "NDATA", "NDEATH"]
            host.state(True, 6)
            birth = host.wait_for("NBIRTH", 2)
            assert (birth.seq, metrics(birth)[BD_SEQ], metrics(birth)["Messages Dropped"]) == (0, 1, 103)
            past = [host.wait_for("NDATA", count) for count in (2, 3)]
            assert all(metric.is_historical for data in past for metric in data.metrics)
        host.wait_for("NDEATH", 2)
        assert host.kinds() == ["NBIRTH", "NDATA", "NDEATH", "NBIRTH", "NDATA", "NDATA", "NDEATH"]


def test_a_new_connection_waits_for_the_state_anew(broker: Mosquitto, tmp_path: Path) -> None:
    with Host(broker.port) as host, Relay(broker.port) as relay:
        host.state(True, 5)
        with waiting(relay.port, tmp_path) as node:
            host.wait_for("NBIRTH")
            relay.cut()
            assert node.wait_for_connection(False, PATIENCE)
            host.state(False, 5)
            relay.mend()
            wait_until_it_waits(node, broker, 2)
            assert host.kinds() == ["NBIRTH", "NDEATH"]
            host.state(True, 3)  # older than what this connection has seen
            host.state(True, 7)
            assert metrics(host.wait_for("NBIRTH", 2))[BD_SEQ] == 1
            assert host.kinds() == ["NBIRTH", "NDEATH", "NBIRTH"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"OFFLINE",
        b"[]",
        b'{"online": true}',
        b'{"online": 1, "timestamp": 1}',
        b'{"online": true, "timestamp": -1}',
        b'{"online": true, "timestamp": "1"}',
        b'{"online": true, "timestamp": 1, "more": "' + b"x" * MOST_BYTES + b'"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_state_is_refused(payload: bytes) -> None:
    state = HostState()
    with pytest.raises(ValueError, match=r".+"):
        state.update(payload)
    assert not state.online


def test_unknown_fields_of_a_state_are_ignored() -> None:
    state = HostState()
    assert state.update(b'{"online": true, "timestamp": 5, "bdSeq": 3}')
    assert not state.update(b'{"online": true, "timestamp": 6}')
    assert not state.update(b'{"online": false, "timestamp": 5}')
    assert state.online
    assert state.update(b'{"online": false, "timestamp": 6}')
