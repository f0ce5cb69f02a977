"""Time from entering a zone to the message about it, as a subscriber of a real mosquitto gets it.

The agent plays the sample clip at its own rate, again and again, with one zone in its middle. For each
object, from the capture of the first frame in which it is inside the zone to the arrival of the first
message ``objects/<camera>`` that names the zone: with the default pauses (``enter_after`` 0.3 s,
``confirm_after`` 0.5 s), which make most of it, and without them. "Frame that decides" is the part that
is not waiting: from the capture of that frame to the arrival. Percentiles over objects; runs in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgeagent.daemon.agent import Agent
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.zones import ZoneSettings
from edgeagent.track.anchors import anchor_points
from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.track.zone_occupancy import ZoneChange, ZoneOccupancy
from tests.broker import Mosquitto

SHORTEST_S = 0.001
ZONE = [[0.30, 0.30], [0.70, 0.30], [0.70, 0.80], [0.30, 0.80]]


class ObservedZone(ZoneOccupancy):
    """Zone that notes when each track was first inside, in camera time."""

    def __init__(self, settings: ZoneSettings) -> None:
        super().__init__(settings)
        self.first_s: dict[int, float] = {}

    def update(self, frame: TrackedFrame) -> list[ZoneChange]:
        """Note and go on."""
        inside = self._polygon.contains(anchor_points(frame, self.settings.anchor))
        for identity, counted in zip(frame.tracks.ids.tolist(), inside.tolist(), strict=True):
            if counted:
                self.first_s.setdefault(identity, frame.time_s)
        return super().update(frame)


def settings(bundle: str, state: Path, port: int, pauses: bool) -> Settings:
    """Return settings with one zone."""
    given = {
        "device": "board",
        "state": state,
        "cameras": [
            {
                "name": "yard",
                "source": str(sample_clip()),
                "loop": True,
                "zones": [
                    {"name": "middle", "polygon": ZONE} | ({} if pauses else {"enter_after": SHORTEST_S})
                ],
            }
        ],
        "model": {"bundle": bundle},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "events": {} if pauses else {"confirm_after": SHORTEST_S},
    }
    return Settings.model_validate(given)


def run(bundle: str, pauses: bool, seconds: float) -> tuple[list[float], list[float]]:
    """Return milliseconds from the first frame inside, and from the frame that decided, to the message."""
    entered, decided = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        agent = Agent(settings(bundle, Path(name) / "state", broker.port, pauses))
        watch = agent._scenes
        if watch is None:
            raise RuntimeError("nothing is tracked")
        scene = watch._scenes["yard"]
        zone = ObservedZone(scene.zones[0].settings)
        scene.zones = [zone]

        def arrived(client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
            now_s, now_utc_s = time.monotonic(), time.time()
            told = json.loads(message.payload)
            track = int(told["id"].rpartition("-")[2])
            first_s = zone.first_s.get(track)
            if told["event"] != "end" and "middle" in told.get("zones", ()) and first_s is not None:
                zone.first_s[track] = np.inf  # once
                if np.isfinite(first_s):
                    entered.append(1000 * (now_s - first_s))
                    at = np.datetime64(told["time"].rstrip("Z")).astype("datetime64[us]").astype(int) / 1e6
                    decided.append(1000 * (now_utc_s - at))

        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_message = arrived
        client.connect("127.0.0.1", broker.port)
        client.subscribe("edgeagent/v1/board/objects/yard", qos=1)
        client.loop_start()
        running = threading.Thread(target=agent.run)
        running.start()
        time.sleep(seconds)
        agent.request_stop()
        running.join()
        client.disconnect()
        client.loop_stop()
    return entered, decided


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", default="coco-nano")
    parser.add_argument("--seconds", type=float, default=60.0, help="of one run")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[bool, tuple[list[float], list[float]]] = {True: ([], []), False: ([], [])}
    for _ in range(arguments.rounds):
        for pauses in (True, False):
            for kept, new in zip(
                found[pauses], run(arguments.bundle, pauses, arguments.seconds), strict=True
            ):
                kept.extend(new)
    print("| pauses | from, to the message | p50 ms | p90 ms | p99 ms | objects |\n|---|---|---|---|---|---|")
    for pauses, lists in found.items():
        for what, values in zip(("first frame inside", "frame that decides"), lists, strict=True):
            if values:
                shares = " | ".join(f"{one:.0f}" for one in np.percentile(values, (50, 90, 99)))
                print(f"| {'default' if pauses else 'none'} | {what} | {shares} | {len(values)} |")
    print(f"load averages {', '.join(f'{one:.1f}' for one in os.getloadavg())}")


if __name__ == "__main__":
    main()
