"""Cluster of NATS servers with JetStream, whose MQTT keeps sessions and messages in three copies."""

from __future__ import annotations

import json
import urllib.request
from functools import partial
from pathlib import Path

from tests.broker import free_port
from tests.fleet.brokers.cluster import IN_FLIGHT, BrokerNode, program

FILE = """
server_name: "node{number}"
listen: "127.0.0.1:{client}"
http: "127.0.0.1:{monitor}"
jetstream {{ store_dir: "{folder}", max_mem: 256MB, max_file: 2GB }}
mqtt {{ listen: "127.0.0.1:{mqtt}", max_ack_pending: {in_flight}, ack_wait: "30s" }}
"""
CLUSTER = """
cluster {{ name: "fleet", listen: "127.0.0.1:{own}", routes: [{routes}] }}
"""


def nats_nodes(folder: Path, count: int = 3) -> list[BrokerNode]:
    """Start servers and return them once they have MQTT; several are a cluster with a leader."""
    server = program("nats-server", "nats-server")
    routes, monitors, nodes = [free_port() for _ in range(count)], [free_port() for _ in range(count)], []
    for number in range(count):
        own, mqtt = folder / f"node{number}", free_port()
        own.mkdir()
        text = FILE.format(
            number=number,
            client=free_port(),
            monitor=monitors[number],
            folder=own,
            mqtt=mqtt,
            in_flight=IN_FLIGHT,
        )
        if count > 1:
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
            text += CLUSTER.format(own=routes[number], routes=others)
        (own / "nats.conf").write_text(text, "utf-8")
        nodes.append(BrokerNode([server, "-c", str(own / "nats.conf")], {}, own / "log", mqtt))
        nodes[-1].start()
    for node, monitor in zip(nodes, monitors, strict=True):
        node.wait(partial(_has_members, monitor, count))
    return nodes


def _has_members(monitor: int, count: int) -> bool:
    return count == 1 or nats_members(monitor) == count


def nats_members(monitor: int) -> int:
    """Return how many servers JetStream knows as members, with the asked one; 0 without a leader."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/jsz", timeout=5) as answer:
            meta = json.load(answer).get("meta_cluster", {})
    except OSError:
        return 0
    return int(meta.get("cluster_size", 0)) if meta.get("leader") else 0
