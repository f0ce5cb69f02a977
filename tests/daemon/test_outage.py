"""The proof: the broker is away, the agent is killed twice meanwhile, and nothing is lost.

The real agent, a real broker, SIGKILL. Here the broker is away for some seconds, with a telemetry message
every 100 ms. The long form says what it found::

    EDGEAGENT_OUTAGE_S=600 python -m pytest --log-cli-level=INFO tests/daemon/test_outage.py
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import time
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Daemon, running
from tests.included import QUICK_NAME
from tests.telemetry.subscriber import Arrival, Subscriber, keeping_sessions

OUTAGE_S = float(os.environ.get("EDGEAGENT_OUTAGE_S", "12"))
INTERVAL_S = 0.1
RUNS = 3
NOT_WRITTEN_S = 5.0
"""A killed agent may not have made its last message any more; on a busy machine this is many intervals."""


def settings(port: int, folder: Path) -> dict[str, Any]:
    return {
        "device": "board",
        "state": str(folder / "state"),
        "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "mqtt": {"host": "127.0.0.1", "port": port, "retry_first": "1s", "retry_longest": "1s"},
        "telemetry": {"interval": f"{INTERVAL_S * 1000:g}ms", "spool": {"replay": 1000.0}},
    }


def run_for(daemon: Daemon, seconds: float) -> None:
    """Let it run; it must not end by itself."""
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(seconds)


def live_and_empty(arrivals: list[Arrival]) -> bool:
    last = next((a.payload for a in reversed(arrivals) if a.topic == "telemetry"), None)
    if last is None or b"historical" in last:
        return False
    return bool(json.loads(last)["spool"]["waiting"] == 0)


def moment(message: dict[str, Any]) -> float:
    return datetime.fromisoformat(message["time"].replace("Z", "+00:00")).timestamp()


@pytest.mark.timeout(OUTAGE_S + 300)
def test_an_outage_with_two_kills_loses_nothing(tmp_path: Path) -> None:
    killed_at: list[float] = []
    with Mosquitto(tmp_path, keeping_sessions(tmp_path)) as broker:
        chosen = settings(broker.port, tmp_path)
        with Subscriber(broker.port, "board") as subscriber:
            broker.stop()  # its session is on the disk now
            for number in range(RUNS):
                folder = tmp_path / str(number)
                folder.mkdir()
                with running(folder, chosen) as daemon:
                    daemon.wait_until_detecting()
                    run_for(daemon, OUTAGE_S / RUNS)
                    if number < RUNS - 1:
                        daemon.process.send_signal(signal.SIGKILL)
                        killed_at.append(time.time())
                        daemon.wait()
                        continue
                    broker.start()
                    subscriber.wait_until(live_and_empty, PATIENCE + OUTAGE_S / 5)
                    assert daemon.stop() == 0, daemon.log()
            subscriber.wait_for("status", b"stopped")
            arrivals = subscriber.arrivals()
    telemetry = [json.loads(a.payload) for a in arrivals if a.topic == "telemetry"]
    events = [json.loads(a.payload) for a in arrivals if a.topic.startswith("events/")]
    order = [(message["run"], message["sequence"]) for message in telemetry]
    unique = sorted(set(order))
    of_run = {run: [sequence for _, sequence in group] for run, group in groupby(unique, lambda key: key[0])}

    assert list(of_run) == [1, 2, 3]
    for sequences in of_run.values():
        assert sequences == [*range(1, len(sequences) + 1)], "no gap"
        assert len(sequences) > OUTAGE_S / RUNS / INTERVAL_S / 4, "at full rate"
    for run, kill in zip((1, 2), killed_at, strict=True):
        last = max(moment(message) for message in telemetry if message["run"] == run)
        assert kill - last < NOT_WRITTEN_S, "up to the kill"
    past = [key for key, message in zip(order, telemetry, strict=True) if "historical" in message]
    assert past == sorted(past), "in order"
    assert {key for key in past if key[0] < RUNS} == {key for key in unique if key[0] < RUNS}, "and marked"
    in_order = sorted({(m["run"], m["sequence"]): moment(m) for m in telemetry}.items())
    assert all(before <= after for (_, before), (_, after) in pairwise(in_order)), "with their time stamps"
    assert len({message["boot_id"] for message in telemetry}) == 1
    assert len(order) - len(unique) == 0, "nothing twice while the broker did not fail again"
    assert set(telemetry[-1]["messages_dropped_by_stream"]) <= {"detections"}
    started = {message["run"] for message in events if message["data"]["state"] == "running"}
    assert started == {1, 2, 3}, "events too"
    logging.getLogger(__name__).info(
        f"broker away {OUTAGE_S:g} s, {len(unique)} telemetry messages in runs of "
        f"{[len(sequences) for sequences in of_run.values()]}, {len(past)} replayed, 0 lost, "
        f"{len(order) - len(unique)} twice, {sum(map(len, (a.payload for a in arrivals)))} bytes received; "
        f"spool at the end {telemetry[-1]['spool']}"
    )
