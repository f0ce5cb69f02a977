"""Three brokers on the loopback interface that form a cluster, and a load balancer before them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.broker import free_port
from tests.fleet.ingest.running import PATIENCE_S, wait_for

IN_FLIGHT = 4000
"""Messages that a broker sends before it waits for acknowledgements: a setting of brokers with MQTT 3.1.1."""


def program(name: str, package: str) -> str:
    """Return the path of a program; skip the test where it is not installed."""
    # Debian's own scripts of RabbitMQ in /usr/sbin change the user; those of RabbitMQ do not.
    path = shutil.which(name, path=f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed (package {package})")
    return path


def listens(port: int) -> bool:
    """Return whether somebody listens at a port of the loopback interface."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    return False


@dataclass
class BrokerNode:
    """Broker of a cluster.

    Args:
        command: that runs it in the foreground.
        environment: beside that of the test.
        log: file of its output.
        mqtt: port of MQTT.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    mqtt: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def wait(self, ready: Callable[[], object]) -> None:
        """Wait until it is ready."""
        process = self.process
        assert process is not None
        deadline = time.monotonic() + PATIENCE_S
        while not (listens(self.mqtt) and ready()):
            assert process.poll() is None, self.log.read_text("utf-8")[-4000:]
            assert time.monotonic() < deadline, self.log.read_text("utf-8")[-4000:]
            time.sleep(0.3)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process is not None and self.process.poll() is None:
            self.kill()


class BalancedCluster:
    """Cluster behind HAProxy: each port leads to another node, and to the others while that one is away.

    Args:
        folder: for configuration and log of the load balancer.
        nodes: that form the cluster.
    """

    def __init__(self, folder: Path, nodes: Sequence[BrokerNode]) -> None:
        self.nodes, self.ports = nodes, [free_port() for _ in nodes]
        lines = ["defaults", " mode tcp", " timeout connect 5s", " timeout client 1h", " timeout server 1h"]
        for number, port in enumerate(self.ports):
            lines += [f"listen first{number}", f" bind 127.0.0.1:{port}"]
            for which, node in enumerate(nodes):
                backup = "" if which == number else " backup"
                lines.append(
                    f" server node{which} 127.0.0.1:{node.mqtt} check inter 500ms fall 1 rise 2"
                    f" on-marked-down shutdown-sessions{backup}"
                )
        self._file, self._log = folder / "haproxy.cfg", folder / "haproxy.log"
        self._file.write_text("\n".join(lines) + "\n", "utf-8")

    @contextlib.contextmanager
    def running(self) -> Iterator[BalancedCluster]:
        """Run the load balancer before nodes that run already, and end all of them."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [program("haproxy", "haproxy"), "-db", "-f", str(self._file)], stdout=log, stderr=log
            )
        try:
            wait_for(lambda: all(map(listens, self.ports)), "HAProxy")
            yield self
        finally:
            process.kill()
            process.wait()
            for node in self.nodes:
                node.stop()
