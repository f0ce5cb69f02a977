"""Time from ``edgeagent reload`` to its effect on a running agent, and frames that other cameras lose in it.

The real daemon with a real mosquitto. One camera (``pace: unthrottled``, which loses no frame by itself) goes
on, while a threshold changes back and forth, and a second camera comes and goes. Printed for each kind of
change, over ``--times`` reloads: median and longest seconds until the answer, and until a message shows the
effect: a frame judged by the new threshold, a frame of the new camera. Last the frames of the first
camera that are missing in its sequence. Times are those of the machine as it is; compare within one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edgeagent.daemon.live.control_client import ask_agent
from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.camera.media import write_pictures
from tests.daemon.running import Consumer, Daemon, running
from tests.included import QUICK_NAME


def settings(work: Path, port: int) -> dict[str, Any]:
    """Return the configuration of the board."""
    yard = {"name": "yard", "source": str(sample_clip()), "pace": "unthrottled", "loop": True}
    telemetry = {
        "interval": "1s",
        "detections": "frames",
        "detections_rate": 1000.0,
        "detections_empty": True,
    }
    return {
        "device": "board",
        "state": str(work / "state"),
        "cameras": [yard],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1, "score_threshold": 0.4},
        "telemetry": {**telemetry, "spool": None},
        "accuracy": {"golden_every": None, "drift": False},
        "mqtt": {"host": "127.0.0.1", "port": port},
    }


class Reloads:
    """Reloads of a running agent.

    Args:
        work: folder of its configuration.
        wanted: the configuration, which is changed.
        consumer: of its messages.
        daemon: the agent.
    """

    def __init__(self, work: Path, wanted: dict[str, Any], consumer: Consumer, daemon: Daemon) -> None:
        self._work, self.wanted, self._consumer, self._daemon = work, wanted, consumer, daemon

    def run(self, topic: str, effect: Any) -> tuple[float, float]:
        """Reload, and return the seconds until the answer and until a message with the effect."""
        (self._work / "edgeagent.yaml").write_text(json.dumps(self.wanted), encoding="utf-8")
        self._daemon.read_notifications()  # as systemd does; the agent waits where nobody reads
        known, began = len(self._consumer.payloads(topic)), time.monotonic()
        result = ask_agent(self._work / "state", {"request": "reload"})
        answered = time.monotonic() - began
        if not result["applied"]:
            raise SystemExit(f"nothing was applied: {result}")
        while not any(effect(json.loads(one)) for one in self._consumer.payloads(topic)[known:] if one):
            time.sleep(0.005)
        return answered, time.monotonic() - began


def lost(consumer: Consumer) -> tuple[int, int]:
    """Return the frames of the camera that went on, and how many of them are missing."""
    seen = [json.loads(one)["sequence"] for one in consumer.payloads("detections/yard")]
    return len(seen), seen[-1] - seen[0] + 1 - len(seen)


def main() -> int:
    """Reload again and again, and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=10, help="number of reloads of each kind")
    given = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"threshold": [], "camera comes": [], "camera goes": []}
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder)) as broker:
        work = Path(folder)
        write_pictures(work / "pictures", 3)
        wanted = settings(work, broker.port)
        dock = {"name": "dock", "source": str(work / "pictures"), "fps": 10.0, "loop": True}
        with Consumer(broker.port, "board") as consumer, running(work, wanted) as daemon:
            daemon.wait_until_detecting()
            consumer.wait_for("detections/yard", lambda m: m["detections"])
            reloads = Reloads(work, wanted, consumer, daemon)
            for _ in range(given.times):
                for threshold, empty in ((0.99, True), (0.4, False)):
                    wanted["model"]["score_threshold"] = threshold
                    found["threshold"].append(
                        reloads.run("detections/yard", lambda m, empty=empty: bool(m["detections"]) != empty)
                    )
                wanted["cameras"].append(dock)
                found["camera comes"].append(reloads.run("detections/dock", lambda m: True))
                del wanted["cameras"][1]
                found["camera goes"].append(
                    reloads.run("telemetry", lambda m: list(m["cameras"]) == ["yard"])
                )
            frames, missing = lost(consumer)
    print(f"{'change':<14}{'reloads':>8}{'answer s':>20}{'effect s':>20}")
    for name, times in found.items():
        columns = [f"{statistics.median(one):.3f} (max {max(one):.3f})" for one in zip(*times, strict=True)]
        print(f"{name:<14}{len(times):>8}{columns[0]:>20}{columns[1]:>20}")
    print(f"frames of the camera that went on: {frames}, lost: {missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
