"""Bytes per device and day: what is published at default settings, and what is written to the disk.

The agent plays the sample clip (one camera, 10 frames/s) with the default interval and rates; a subscriber
counts what arrives, payload and topic. Then the broker goes away and the spool is looked at. Both are carried
on to a day, so that they hold for a scene as busy as the clip's. The table is the one of docs/mqtt.md. With
``--broker`` the broker stays, and the spool is not looked at.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.daemon.agent import Agent
from edgeagent.demo.broker import EmbeddedBroker
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.telemetry import DetectionsMode, TelemetrySettings
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.telemetry.contract.streams import STREAMS

DAY_S = 86_400
PATIENCE_S = 60.0


class Counting:
    """Counts messages and bytes by stream."""

    def __init__(self, port: int) -> None:
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.last: dict[str, bytes] = {}
        self.arrived = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/#", qos=1)
        self._client.on_message = self._count
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _count(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        stream = message.topic.split("/")[3]
        self.messages[stream] += 1
        self.bytes[stream] += len(message.payload) + len(message.topic)
        self.last[stream] = bytes(message.payload)
        if stream == "telemetry":
            self.arrived.set()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def settings(port: int, state: Path, detections: DetectionsMode) -> Settings:
    """The defaults, for one camera."""
    return Settings(
        device="board",
        state=state,
        cameras=(CameraSettings(name="yard", source=str(sample_clip()), loop=True),),
        mqtt=MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1"),
        telemetry=TelemetrySettings(detections=detections),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="with a broker, and as long without")
    parser.add_argument(
        "--detections", choices=get_args(DetectionsMode), default="changes", help="telemetry.detections"
    )
    parser.add_argument("--broker", type=int, metavar="PORT", help="of a broker on this machine that runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with ExitStack() as stack:
            port = arguments.broker or stack.enter_context(EmbeddedBroker()).port
            agent = Agent(settings(port, Path(folder), arguments.detections))
            runner = threading.Thread(target=agent.run)
            runner.start()
            publisher = agent.publisher
            if not publisher.wait_for("connected", PATIENCE_S):
                raise SystemExit("the agent does not reach the broker")
            counting = Counting(port)
            if not counting.arrived.wait(PATIENCE_S):
                raise SystemExit("no telemetry")
            began = publisher.spool
            counting.messages.clear()
            counting.bytes.clear()
            agent.wait(arguments.seconds)
            counting.stop()
            present = publisher.spool
        if arguments.broker is None:
            agent.wait(arguments.seconds)
        away = publisher.spool
        agent.request_stop()
        runner.join()
    if began is None or present is None or away is None:
        raise SystemExit("there is no spool")
    days = DAY_S / arguments.seconds
    print("| stream | messages a day | bytes each, mean | MB a day |\n|---|---|---|---|")
    for stream in STREAMS:
        count, size = counting.messages[stream.name], counting.bytes[stream.name]
        if count:
            print(
                f"| `{stream.topic}` | {count * days:,.0f} | {size / count:,.0f} | {size * days / 1e6:.1f} |"
            )
    last = counting.last["telemetry"]
    print(f"one telemetry message: {len(last)} bytes, {len(gzip.compress(last))} with gzip")
    print(f"written to the disk at the start: {began.written} bytes")
    spans = [("present", began, present), ("away", present, away)]
    for name, before, after in spans[: 1 if arguments.broker else 2]:
        if before.written is None or after.written is None:
            raise SystemExit("the kernel does not tell what was written")
        written = after.written - before.written
        daily = f"{written * days / 1e6:.1f} MB a day; {after.waiting} messages wait in {after.size} bytes"
        print(f"broker {name}: {written} bytes written in {arguments.seconds:g} s, {daily}")


if __name__ == "__main__":
    main()
