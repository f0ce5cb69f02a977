"""Outages: share of time without detection, and telemetry over kills of the broker.

``worker``  kills of the worker that serves (SIGKILL), spread over the time: seconds from each kill to the
            next result, and their share of the time.
``broker``  kills of a real mosquitto (SIGKILL), spread over the time, each followed by a pause and a start:
            telemetry messages lost, and received twice. The subscriber's session is on the broker's disk, so
            that what is lost is lost by the agent.

The agent plays the sample clip at its own rate. An outage of the broker with kills of the agent is measured
by the long form of tests/daemon/test_outage.py.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgeagent.daemon.agent import Agent
from edgeagent.detection.frame_result import Result
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.telemetry import TelemetrySettings
from edgeagent.worker.engine import WorkerEngine
from tests.broker import Mosquitto
from tests.telemetry.subscriber import Subscriber, keeping_sessions

PATIENCE_S = 180.0


class Results:
    """Moments of results."""

    def __init__(self) -> None:
        self._arrived, self._count = threading.Condition(), 0

    def add(self, result: Result) -> None:
        """Count a result."""
        with self._arrived:
            self._count += 1
            self._arrived.notify_all()

    def wait_for(self, more: int) -> None:
        """Wait for so many results from now on."""
        with self._arrived:
            wanted = self._count + more
            if not self._arrived.wait_for(lambda: self._count >= wanted, PATIENCE_S):
                raise TimeoutError("no results")


def tell(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def load() -> str:
    """Return the load averages of the machine."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def settings(engine: str, state: Path, port: int | None, interval_s: float) -> Settings:
    """Return settings with one camera, and a broker where there is a port."""
    mqtt = MqttSettings() if port is None else MqttSettings(host="127.0.0.1", port=port, retry_longest=2.0)
    return Settings(
        device="board",
        state=state,
        cameras=(CameraSettings(name="clip", source=str(sample_clip()), loop=True),),
        model=ModelSettings(engine=engine),
        mqtt=mqtt,
        telemetry=TelemetrySettings(interval=interval_s),
    )


def kill_workers(engine: str, seconds: float, kills: int, state: Path) -> str:
    """Kill what serves so often, and describe the share of the time without detection."""
    results, away = Results(), list[float]()
    agent = Agent(settings(engine, state, None, 10.0), results.add)
    agent.start()
    try:
        results.wait_for(3)
        began = time.monotonic()
        for number in range(kills):
            time.sleep(max(0.0, began + seconds * (number + 1) / (kills + 1) - time.monotonic()))
            detector = agent.models.serving.current(PATIENCE_S)
            if detector is None or not isinstance(detector.engine, WorkerEngine):
                raise TimeoutError("nothing serves")
            killed = time.monotonic()
            os.kill(detector.engine.pid, signal.SIGKILL)
            while agent.models.serving.current(0) is detector:
                time.sleep(0.005)
            results.wait_for(1)
            away.append(time.monotonic() - killed)
            tell(f"kill {number + 1}/{kills}: {away[-1]:.2f} s without detection; load {load()}")
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        passed = time.monotonic() - began
    finally:
        agent.stop()
    each = ", ".join(f"{one:.2f}" for one in away)
    return (
        f"{passed:.0f} s, {kills} kills of the worker: {each} s without detection, "
        f"{100 * sum(away) / passed:.2f} % of the time; load average {load()}"
    )


def kill_broker(engine: str, seconds: float, kills: int, interval_s: float, folder: Path) -> str:
    """Kill the broker so often, and describe what became of the telemetry."""
    away_s = min(10.0, seconds / (kills + 1) / 2)
    with (
        Mosquitto(folder, keeping_sessions(folder)) as broker,
        Subscriber(broker.port, "board") as subscriber,
    ):
        os.kill(broker.pid, signal.SIGUSR1)  # saves the subscription
        while not (folder / "mosquitto.db").exists():
            time.sleep(0.1)
        agent = Agent(settings(engine, folder / "state", broker.port, interval_s))
        running = threading.Thread(target=agent.run)
        # the agent's workers live as long as the thread that made it: this one
        running.start()
        began = time.monotonic()
        for number in range(kills):
            time.sleep(max(0.0, began + seconds * (number + 1) / (kills + 1) - time.monotonic()))
            os.kill(broker.pid, signal.SIGKILL)
            broker.stop()
            time.sleep(away_s)
            broker.start()
            tell(f"kill {number + 1}/{kills}: the broker was away for {away_s:.1f} s; load {load()}")
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        agent.request_stop()
        running.join()
        subscriber.wait_for("status", b"stopped")
        messages = [json.loads(one.payload) for one in subscriber.arrivals() if one.topic == "telemetry"]
    received = Counter(message["sequence"] for message in messages)
    lost = max(received) - len(received)
    return (
        f"{seconds:.0f} s, {kills} kills of the broker, telemetry every {interval_s:g} s: {max(received)} "
        f"messages, {lost} lost, {received.total() - len(received)} received twice, "
        f"{sum('historical' in message for message in messages)} replayed; load average {load()}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("worker", "broker"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, help="by default 2 of the worker, 5 of the broker")
    parser.add_argument("--interval", type=float, default=1.0, help="of telemetry, in seconds (broker)")
    parser.add_argument("--engine", default="auto")
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "worker":
            print(kill_workers(arguments.engine, seconds, arguments.kills or 2, Path(folder)))
        else:
            kills = arguments.kills or 5
            print(kill_broker(arguments.engine, seconds, kills, arguments.interval, Path(folder)))


if __name__ == "__main__":
    main()
