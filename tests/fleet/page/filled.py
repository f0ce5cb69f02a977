"""A store with a small fleet in it, as rows that the ingest would derive from messages."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

from edgeagent.fleet.store.protocol import FleetStore

NOW = datetime.now(timezone.utc).replace(microsecond=0)
HOUR = NOW.replace(minute=0, second=0)
HOSTILE = "<script>alert(1)</script>\"'; DROP TABLE devices; --"
BOARDS = ("Raspberry Pi 5", "Jetson Orin Nano", "Coral Dev Board")
DELEGATES = ("tflite-xnnpack", "tensorrt", "tflite-edgetpu")
STATES = ("online", "online", "online", "online", "online", "offline", "online", "stopped")


def buckets(middle_ms: float, frames: int = 12_000) -> dict[int, int]:
    """A bell around a latency, by bucket."""
    top = round(math.log2(middle_ms) * 64)
    return {top + d: max(1, round(frames / 60 * math.exp(-((d / 12) ** 2)))) for d in range(-30, 90, 2)}


def device(number: int, tenant: str = "", **changes: Any) -> dict[str, Any]:
    """Row of a device."""
    kind = number % 3
    version = "1.1.0" if number % 4 else "1.0.0"
    row = {
        "tenant": tenant,
        "device": f"cam-{number:03d}",
        "updated": NOW,
        "first_stored": NOW - timedelta(days=90),
        "last_stored": NOW - timedelta(seconds=number),
        "status": STATES[number % len(STATES)],
        "status_time": NOW - timedelta(days=2),
        "info_time": NOW,
        "agent": "0.9.0" if number % 5 else "0.8.2",
        "board": BOARDS[kind],
        "architecture": "aarch64",
        "system": "Debian 12",
        "kernel": "6.6",
        "bundle": "coco-nano",
        "bundle_version": version,
        "artefact": "model.tflite",
        "engine": "tflite",
        "delegate": DELEGATES[kind],
        "cameras": ["yard", "gate"],
        "alarm_time": NOW,
        "serving": f"{DELEGATES[kind]} model.tflite",
        "problem_codes": ["throttled"] if number % 7 == 3 else [],
        "problem_texts": ["the board is hot"] if number % 7 == 3 else [],
        "deployment_time": NOW - timedelta(hours=number % 48),
        "deployment_state": "rolled_back" if number % 11 == 5 else "good" if number % 4 else "trial",
        "deployment_name": "coco-nano",
        "deployment_version": version,
        "deployment_reason": "p99 of 61 ms is above 40 ms" if number % 11 == 5 else None,
        "rollout": f"coco-nano-{version}-a",
        "accuracy_time": NOW,
        "map50_95": 0.301 - 0.002 * (number % 5),
        "map_claimed": 0.300,
        "map_tolerance": 0.0035,
        "recent_agreement": 0.94,
        "drifted_cameras": 0,
        "telemetry_time": NOW,
        "run": 3,
        "uptime_s": 86_400.0,
        "fps": 14.5 + kind,
        "cameras_running": 2,
        "p50_ms": 21.0 + 9 * kind,
        "p90_ms": 27.0 + 9 * kind,
        "p99_ms": 33.0 + 9 * kind,
        "watts": 4.2 + kind,
        "power_quality": "whole board",
        "joules_per_inference": 0.051 + 0.01 * kind,
        "temperature_c": 55.0 + number % 20,
        "cpu_percent": 31.0,
        "memory_available_mb": 2100.0,
        "throttled": [],
        "clock": "ok",
        "clock_offset_s": 0.1,
    }
    return {**row, **changes}


def fill(store: FleetStore, devices: int = 60, tenant: str = "") -> None:
    """Put a fleet of a tenant into a store."""
    store.insert("devices", [device(number, tenant) for number in range(devices)])
    store.insert(
        "labels",
        [
            {
                "tenant": tenant,
                "device": f"cam-{number:03d}",
                "label": label,
                "value": value,
                "changed": NOW,
                "by": "ann",
            }
            for number in range(devices)
            for label, value in (
                ("site", ("Hamburg", "Lyon", "Turin")[number % 3]),
                ("cohort", "pilot" if number < 8 else "rest"),
            )
        ],
    )
    for number in (3, 10, 17):
        store.insert("problems", [problem(number, tenant)])
    store.insert("problems", [problem(5, tenant, code="not_detecting", ended=NOW)])
    _fill_models(store, tenant)
    _fill_history(store, "cam-003", tenant)


def problem(number: int, tenant: str = "", code: str = "throttled", **changes: Any) -> dict[str, Any]:
    """Row of a problem."""
    row = {
        "tenant": tenant,
        "device": f"cam-{number:03d}",
        "code": code,
        "camera": "",
        "since": NOW - timedelta(hours=number),
        "computed": NOW,
        "text": "the board is hot and has lowered its clock",
        "seen": NOW,
        "ended": None,
    }
    return {**row, **changes}


def _system(seconds: float, frames: float) -> dict[str, Any]:
    return {
        "computed": NOW,
        "messages": 360,
        "seconds": seconds,
        "frames": frames,
        "frames_dropped": round(frames / 400),
        "energy_j": 4.6 * seconds,
        "energy_covered_s": seconds,
        "inference_used_j": 0.12 * frames,
        "inference_idle_j": 0.06 * frames,
        "inferences": round(frames),
        "watts_max": 6.0,
        "temperature_max_c": 61.0,
        "temperature_mean_c": 57.0,
        "cpu_mean_percent": 31.0,
        "memory_least_mb": 2000.0,
        "throttled_messages": 2,
    }


def _key(tenant: str, at: datetime, version: str, kind: int) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "at": at,
        "bundle": "coco-nano",
        "bundle_version": version,
        "artefact": "model.tflite",
        "delegate": DELEGATES[kind],
    }


def _fill_models(store: FleetStore, tenant: str) -> None:
    rows, latencies = [], []
    for hour in range(20):
        at, version = HOUR - timedelta(hours=hour), "1.1.0" if hour < 8 else "1.0.0"
        for kind, board in enumerate(BOARDS):
            key = {**_key(tenant, at, version, kind), "board": board}
            rows.append({**key, "devices": 20, **_system(3600.0, 50_000.0)})
            slower = 1.0 if version == "1.0.0" else 0.8
            for stage, share in (("end_to_end", 1.0), ("inference", 0.7)):
                middle = (20 + 9 * kind) * slower * share
                latencies.append({**key, "stage": stage, "computed": NOW, "buckets": buckets(middle)})
    store.insert("models_hour", rows)
    store.insert("models_latency_hour", latencies)


def _fill_history(store: FleetStore, name: str, tenant: str) -> None:
    for step, width, count in (("minute", 5, 240), ("hour", 60, 48), ("day", 1440, 20)):
        rows, latencies = [], []
        for number in range(count):
            at = HOUR - timedelta(minutes=width * number)
            version = "1.1.0" if number < count / 2 else "1.0.0"
            key = {**_key(tenant, at, version, 0), "device": name}
            wave = 1 + 0.2 * math.sin(number / 9)
            rows.append({**key, **_system(60.0 * width, 15 * 60.0 * width)})
            for stage, share in (
                ("end_to_end", 1.0),
                ("inference", 0.7),
                ("preprocess", 0.1),
                ("queue", 0.05),
            ):
                latencies.append(
                    {**key, "stage": stage, "computed": NOW, "buckets": buckets(24 * share * wave)}
                )
        store.insert(f"system_{step}", rows)
        store.insert(f"latency_{step}", latencies)
    message = {"tenant": tenant, "device": name, "run": 3, "stored": NOW, "clock": "ok"}
    store.insert(
        "events",
        [
            {**message, "sequence": number, "device_time": at, "time": at, "kind": kind, "text": text}
            for number, (kind, text) in enumerate(
                (
                    ("delegate", "tflite-xnnpack model.tflite serves"),
                    ("rate", "the limit is 10 frames/s: temperature"),
                    ("camera", HOSTILE),
                ),
                1,
            )
            for at in (NOW - timedelta(minutes=30 * number),)
        ],
    )
    store.insert(
        "deployments",
        [
            {
                **message,
                "device_time": NOW - timedelta(hours=hours),
                "time": NOW - timedelta(hours=hours),
                "state": state,
                "name": "coco-nano",
                "version": "1.1.0",
                "rollout": "coco-nano-1.1.0-a",
            }
            for hours, state in ((9, "fetching"), (8, "trial"), (6, "good"))
        ],
    )
    store.insert(
        "accuracy",
        [
            {
                **message,
                "device_time": NOW - timedelta(hours=hours),
                "time": NOW - timedelta(hours=hours),
                "model": f"coco-nano {version}",
                "map50_95": measured,
                "map_claimed": 0.3,
                "recent_share": 0.94,
                "recent_low": 0.91,
                "recent_high": 0.96,
                "drift_cameras": ["yard"],
                "drift_states": ["steady"],
                "drift_index": [0.07],
            }
            for hours, version, measured in ((30, "1.0.0", 0.301), (6, "1.1.0", 0.296))
        ],
    )
    store.insert(
        "sequences",
        [
            {
                "tenant": tenant,
                "device": name,
                "run": 3,
                "stream": "telemetry",
                "block": 0,
                "computed": NOW,
                "messages": 988,
                "first": 1,
                "last": 1000,
                "first_time": NOW - timedelta(hours=3),
                "last_time": NOW,
            }
        ],
    )
