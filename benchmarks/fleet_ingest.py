"""Throughput of the fleet's ingest beside the broker's own ceiling, bytes a message on the disk, and memory.

    python benchmarks/fleet_ingest.py [--messages N] [--rounds N]

Messages of telemetry of simulated devices are built beforehand and published over real MQTT to a real
mosquitto. In each round, interleaved: a consumer that throws everything away, in a process of its own with
the same QoS, receive maximum and acknowledgements; the ingest with one worker; the ingest with two. All
messages wait at the broker before a consumer starts, so that publishing takes no part in the time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgeagent.fleet.simulator.boards import SimulatedModel
from edgeagent.fleet.simulator.connections import FleetConnections
from edgeagent.fleet.simulator.device import SimulatedDevice
from edgeagent.fleet.store.opening import open_shared
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.contract.messages import ROOT

PORT = 18993
DEVICES = 50
PATIENCE_S = 900.0


class Broker:
    """mosquitto that keeps everything that waits, in memory and on the disk."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            sys.exit("mosquitto is not installed")
        lines = [
            f"listener {PORT} 127.0.0.1",
            "allow_anonymous true",
            "user root",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "log_dest none",
        ]
        (folder / "broker.conf").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen([program, "-c", str(folder / "broker.conf")])
        while True:
            try:
                probe = paho.Client(CallbackAPIVersion.VERSION2)
                probe.connect("127.0.0.1", PORT)
                probe.disconnect()
                return
            except OSError:
                time.sleep(0.1)

    def stop(self) -> None:
        """End the broker."""
        self.process.terminate()
        self.process.wait()


def built(messages: int) -> list[tuple[str, bytes]]:
    """Return topics and payloads of telemetry; a device's follow each other by ten seconds."""
    begin = datetime.now(timezone.utc) - timedelta(hours=3)
    devices = [
        SimulatedDevice(f"b{number:04d}", number, begin, SimulatedModel()) for number in range(DEVICES)
    ]
    pools = [device.telemetry(begin).payload() for device in devices for _ in range(4)]
    found = []
    for number in range(messages):
        device = devices[number % DEVICES]
        round_number = number // DEVICES
        at = begin + timedelta(seconds=0.05 * round_number)
        fields = json.loads(pools[number % len(pools)])
        fields["sequence"] = round_number + 1
        fields["time"] = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
        found.append((f"{ROOT}/{device.name}/telemetry", json.dumps(fields, separators=(",", ":")).encode()))
    return found


def prepare_session(client_id: str, topic: str) -> None:
    """Make a session that keeps the messages of a subscription."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    subscribed = threading.Event()
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: subscribed.set()
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", PORT, clean_start=True, properties=properties)
    client.loop_start()
    subscribed.wait(30)
    client.disconnect()
    client.loop_stop()


def publish(messages: Sequence[tuple[str, bytes]]) -> None:
    """Publish all messages; return once the broker has them."""
    with FleetConnections(MqttSettings(host="127.0.0.1", port=PORT), 4, "benchmark") as connections:
        for number, (topic, payload) in enumerate(messages):
            connections.publish(number % DEVICES, topic, payload)
        connections.wait(PATIENCE_S)


def discard(client_id: str, count: int, receive_maximum: int) -> None:
    """Receive, acknowledge and forget so many messages; print the seconds."""
    done, counted, began = threading.Event(), 0, time.monotonic()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    client.manual_ack_set(True)

    def on_message(client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        nonlocal counted
        counted += 1
        client.ack(message.mid, 1)
        if counted >= count:
            done.set()

    client.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600, receive_maximum
    client.connect("127.0.0.1", PORT, clean_start=False, properties=properties)
    client.loop_start()
    if not done.wait(PATIENCE_S):
        sys.exit(f"only {counted} of {count} messages came")
    print(time.monotonic() - began)
    client.disconnect()
    client.loop_stop()


def ceiling(messages: Sequence[tuple[str, bytes]], batch: int) -> float:
    """Return messages a second of a consumer that throws everything away."""
    prepare_session("discard", f"$share/discard/{ROOT}/+/telemetry")
    publish(messages)
    command = [sys.executable, __file__, "--discard", str(len(messages)), "--batch", str(batch)]
    seconds = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    forget("discard")
    return len(messages) / seconds


def forget(client_id: str) -> None:
    """Remove a session."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", PORT, clean_start=True)
    client.loop_start()
    time.sleep(0.5)
    client.disconnect()
    client.loop_stop()


def ingest(messages: Sequence[tuple[str, bytes]], workers: int, batch: int, folder: Path) -> dict[str, float]:
    """Return messages a second, bytes a message on the disk, and MB of the largest process."""
    names = [f"edgeagent-fleet-bench-{number}" for number in range(1, workers + 1)]
    for name in names:
        prepare_session(name, f"$share/edgeagent/{ROOT}/+/telemetry")
    publish(messages)
    store = folder / f"s{workers}"
    command = [sys.executable, "-m", "edgeagent", "fleet", "ingest", "--broker", f"127.0.0.1:{PORT}"]
    command += ["--store", str(store), "--name", "bench", "--workers", str(workers), "--batch", str(batch)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (store / "store.sock").exists():
        time.sleep(0.05)
    client = open_shared(str(store))
    first: float | None = None
    most = 0.0
    while True:
        found = int(client.query("SELECT count() FROM telemetry").rows[0][0])
        now = time.monotonic()
        if found and first is None:
            first, at_first = now, found
        if found >= len(messages):
            break
        tree = psutil.Process(process.pid).children()
        most = max(most, *(each.memory_info().rss / 2**20 for each in tree)) if tree else most
        time.sleep(0.05)
    rate = (found - at_first) / max(now - (first or now), 1e-9)
    sql = "SELECT sum(bytes_on_disk) FROM system.parts WHERE table = 'telemetry' AND active"
    size = float(client.query(sql).rows[0][0])
    client.close()
    process.send_signal(signal.SIGTERM)
    process.wait()
    for name in names:
        forget(name)
    shutil.rmtree(store)
    return {"rate": rate, "bytes": size / len(messages), "memory_mb": most}


def main() -> None:
    """Run the rounds and print ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--discard", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.discard:
        discard("discard", arguments.discard, 2 * arguments.batch)
        return
    messages = built(arguments.messages)
    size = statistics.mean(len(payload) for _, payload in messages)
    machine = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    print(f"{len(messages)} messages of {size:.0f} bytes, {machine}")
    rates: dict[str, list[float]] = {"discard": [], "1 worker": [], "2 workers": []}
    last: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="fb") as name:
        broker = Broker(Path(name))
        try:
            for _ in range(arguments.rounds):
                rates["discard"].append(ceiling(messages, arguments.batch))
                for workers in (1, 2):
                    last = ingest(messages, workers, arguments.batch, Path(name))
                    rates["1 worker" if workers == 1 else "2 workers"].append(last["rate"])
        finally:
            broker.stop()
    base = statistics.median(rates["discard"])
    for what, found in rates.items():
        low, high, median = min(found), max(found), statistics.median(found)
        print(f"{what:10} {median:8.0f} messages/s ({low:.0f} to {high:.0f}), {median / base:.2f} of discard")
    print(f"{last['bytes']:.0f} bytes a message on the disk; largest process {last['memory_mb']:.0f} MB")


if __name__ == "__main__":
    main()
