"""The ingest on clusters of brokers with MQTT 3.1.1 only: a node is killed, nothing is lost or doubled."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeagent.fleet.simulator.fleet import FleetSimulator, Simulation
from edgeagent.settings.sections.mqtt import MqttSettings
from tests.fleet.brokers.cluster import BalancedCluster
from tests.fleet.brokers.nats_cluster import nats_nodes
from tests.fleet.brokers.rabbitmq_cluster import RabbitMQ, port_mapper
from tests.fleet.ingest.running import RunningIngest, fleet_broker, running_ingest_at, wait_for
from tests.fleet.ingest.test_ingest import stored_once
from tests.long import LONG

pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")

logger = logging.getLogger(__name__)

OLDER = ("--mqtt-version", "3.1.1")
RATE, BETWEEN = 60.0, 400
"""Messages of telemetry in a second, and at least so many before each kill and after the last one."""


class _Publishing(threading.Thread):
    """Simulated devices in a thread, which go on when their broker was away, until they are stopped."""

    def __init__(self, port: int) -> None:
        super().__init__()
        broker = MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1")
        self.simulator = FleetSimulator(Simulation(devices=20, rate=RATE, connections=2), broker)

    def run(self) -> None:
        self.simulator.run()

    def await_more(self) -> None:
        """Wait until so many messages more are published."""
        before = self.simulator.counts["telemetry"]
        wait_for(lambda: self.simulator.counts["telemetry"] > before + BETWEEN, "messages of the devices")


def survive_kills(cluster: BalancedCluster, log: Path, whole: Callable[[], object]) -> None:
    """Kill the node of the ingest and then that of the devices while messages flow; all are stored once.

    Args:
        cluster: that runs.
        log: of the ingest.
        whole: returns whether all nodes are members again.
    """
    with running_ingest_at(cluster.ports[0], log, more=OLDER) as ingest:
        devices = _Publishing(cluster.ports[1])
        devices.start()
        try:
            for number in (0, 1):
                devices.await_more()
                kill_and_return(cluster, number, ingest, whole)
            devices.await_more()
        finally:
            devices.simulator.stop()
            devices.join()
        counts = dict(devices.simulator.counts)
        stored_once(ingest, counts)
        logger.info("stored once: %s", counts)
        assert ingest.ask("SELECT count() FROM dead_letters FINAL") == [(0,)]


def kill_and_return(
    cluster: BalancedCluster, number: int, ingest: RunningIngest, whole: Callable[[], object]
) -> None:
    node = cluster.nodes[number]
    subscribed = ingest.subscribed()
    node.kill()
    if number == 0:
        wait_for(lambda: ingest.subscribed() >= subscribed + 2, f"another node\n{ingest.log()}")
    node.start()
    node.wait(whole)


@LONG
def test_a_cluster_of_nats_servers(tmp_path: Path) -> None:
    nodes = nats_nodes(tmp_path)
    with BalancedCluster(tmp_path, nodes).running() as cluster:
        survive_kills(cluster, tmp_path / "ingest.log", lambda: True)


@LONG
def test_a_cluster_of_rabbitmq_nodes(tmp_path: Path) -> None:
    with port_mapper(tmp_path) as mapper:
        rabbit = RabbitMQ(tmp_path, mapper)
        cluster = BalancedCluster(tmp_path, rabbit.nodes)
        try:
            rabbit.start()
        except BaseException:
            for node in rabbit.nodes:
                node.stop()
            raise
        with cluster.running():
            survive_kills(cluster, tmp_path / "ingest.log", lambda: rabbit.members() == 3)


def test_a_broker_without_mqtt_5_is_told_with_the_way_out(tmp_path: Path) -> None:
    (node,) = nats_nodes(tmp_path, count=1)
    try:
        with pytest.raises(AssertionError) as ended, running_ingest_at(node.mqtt, tmp_path / "log"):
            pass
    finally:
        node.stop()
    told = f"broker 127.0.0.1:{node.mqtt} has no MQTT 5 (RabbitMQ before 3.13, NATS); start the ingest with"
    assert f"{told} --mqtt-version 3.1.1, which reads with one worker" in str(ended.value)


def test_the_ingest_with_mqtt_3_1_1(tmp_path: Path) -> None:
    """One worker with a session that the broker keeps: messages of the time between are stored, and once."""
    with fleet_broker(tmp_path) as broker:
        settings = MqttSettings(host="127.0.0.1", port=broker.port, protocol="3.1.1")
        total: Counter[str] = Counter()

        def publish(prefix: str) -> None:
            simulator = FleetSimulator(
                Simulation(devices=5, messages=60, rate=5000.0, connections=1, prefix=prefix), settings
            )
            simulator.run()
            total.update(simulator.counts)

        with running_ingest_at(broker.port, tmp_path / "log", more=OLDER) as ingest:
            publish("first-")
            stored_once(ingest, dict(total))
            assert ingest.stop() == 0
            publish("between-")
            ingest.start()
            stored_once(ingest, dict(total))
            ingest.wait_for_rows("SELECT count() FROM devices FINAL WHERE status = 'online'", [(10,)])
