"""Rows of messages for tests of the store."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.timing.histogram import Histogram

BEGIN = datetime.now(timezone.utc).replace(minute=0, second=5, microsecond=0) - timedelta(hours=2)
"""Time of the first message, two hours ago: a minute and an hour begin five seconds before it."""


def telemetry_row(device: str, sequence: int, **more: Any) -> dict[str, Any]:
    """Return a row of telemetry, of the interval of 10 s that ends 10 s after that of the message before."""
    at = BEGIN + timedelta(seconds=10 * (sequence - 1))
    row = {
        "device": device,
        "run": 1,
        "sequence": sequence,
        "device_time": at,
        "time": at,
        "stored": at,
        "clock": "ok",
        "interval_s": 10.0,
        "camera_names": ["yard"],
        "camera_states": ["running"],
        "camera_fps": [5.0],
        "camera_dropped": [3 * sequence],
        "stage_cameras": ["yard"],
        "stage_names": ["end_to_end"],
        "stage_buckets": [durations(sequence, 50).buckets()],
        "temperature_c": 50.0 + sequence,
        "watts": 5.0,
    }
    return {**row, **more}


def info_row(device: str, at: datetime, version: str, **more: Any) -> dict[str, Any]:
    """Return a row of ``info``."""
    row = {
        "device": device,
        "device_time": at,
        "time": at,
        "stored": at,
        "run": -1,
        "board": "Raspberry Pi 5",
        "bundle": "coco-small",
        "bundle_version": version,
        "artefact": "model.onnx",
        "delegate": "onnxruntime-cpu",
    }
    return {**row, **more}


def new_store(folder: Path) -> Path:
    """Make an empty store in a process of its own, as the engine opens one folder a process."""
    program = "import sys, pathlib; from edgeagent.fleet.store.embedded import EmbeddedStore as S"
    program += "; S(pathlib.Path(sys.argv[1])).close()"
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, cwd=Path(__file__).parents[2])
    return folder


def durations(seed: int, count: int) -> Histogram:
    """Return a histogram of drawn durations."""
    histogram = Histogram()
    for nanoseconds in drawn(seed, count):
        histogram.record(nanoseconds)
    return histogram


def drawn(seed: int, count: int) -> list[int]:
    """Return durations in nanoseconds, of which a few are long."""
    values = np.random.default_rng(seed).lognormal(17.0, 0.6, count)
    return [int(value) for value in values]
