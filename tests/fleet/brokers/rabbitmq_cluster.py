"""Cluster of RabbitMQ nodes with the MQTT plug-in, whose sessions are quorum queues on all three."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.broker import free_port
from tests.fleet.brokers.cluster import IN_FLIGHT, BrokerNode, listens, program
from tests.fleet.ingest.running import wait_for

FILE = """
listeners.tcp.1 = 127.0.0.1:{amqp}
mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}
mqtt.allow_anonymous = true
mqtt.prefetch = {in_flight}
mqtt.durable_queue_type = quorum
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = node0@localhost
cluster_formation.classic_config.nodes.2 = node1@localhost
cluster_formation.classic_config.nodes.3 = node2@localhost
cluster_partition_handling = pause_minority
"""


@contextlib.contextmanager
def port_mapper(folder: Path) -> Iterator[int]:
    """Run Erlang's port mapper on a port of its own."""
    port = free_port()
    command = [program("epmd", "erlang-base"), "-port", str(port), "-address", "127.0.0.1"]
    with (folder / "epmd.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(port), "epmd")
        yield port
    finally:
        process.kill()
        process.wait()


class RabbitMQ:
    """Three nodes, which find each other by the port mapper.

    Args:
        folder: for their files.
        mapper: port of the port mapper.
    """

    def __init__(self, folder: Path, mapper: int) -> None:
        server = program("rabbitmq-server", "rabbitmq-server")
        self._control = program("rabbitmqctl", "rabbitmq-server")
        home = folder / "home"
        home.mkdir()
        cookie = home / ".erlang.cookie"
        cookie.write_text("LOOPBACKONLY", "utf-8")
        cookie.chmod(0o400)
        self.environment = {"HOME": str(home), "ERL_EPMD_PORT": str(mapper), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.nodes: list[BrokerNode] = []
        for number in range(3):
            own, mqtt = folder / f"node{number}", free_port()
            (own / "data").mkdir(parents=True)
            (own / "plugins").write_text("[rabbitmq_mqtt].\n", "utf-8")
            text = FILE.format(amqp=free_port(), mqtt=mqtt, in_flight=IN_FLIGHT)
            (own / "rabbitmq.conf").write_text(text, "utf-8")
            environment = {
                **self.environment,
                "RABBITMQ_NODENAME": f"node{number}@localhost",
                "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_MNESIA_BASE": str(own / "data"),
                "ERL_CRASH_DUMP": str(own / "crash"),
                "RABBITMQ_LOG_BASE": str(own),
                "RABBITMQ_LOGS": "-",
                "RABBITMQ_PID_FILE": str(own / "pid"),
                "RABBITMQ_CONFIG_FILE": str(own / "rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "plugins"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
                "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node itself
            }
            self.nodes.append(BrokerNode([server], environment, own / "log", mqtt))

    def start(self) -> None:
        """Start the nodes one after another, and return once they are a cluster."""
        for number, node in enumerate(self.nodes):
            node.start()
            node.wait(partial(self._has_members, number + 1))

    def _has_members(self, count: int) -> bool:
        return self.members() == count

    def members(self) -> int:
        """Return how many nodes run by the first one that answers."""
        for number, node in enumerate(self.nodes):
            if node.process is None or node.process.poll() is not None:
                continue
            expression = "length(rabbit_nodes:all_running())."
            done = subprocess.run(
                [self._control, "-q", "-n", f"node{number}@localhost", "eval", expression],
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return int(done.stdout)
            time.sleep(1)
        return 0
