"""Time of each query of the fleet's page, with 1,000 and 100,000 devices in an embedded store.

    python benchmarks/fleet_page.py [--devices 1000 100000] [--times 30] [--store DIR]

The store is filled by statements of the engine: devices with their state, labels, problems, a week of
roll-ups of six models on eight boards, and a day of one device. Each query runs through the store as the page
asks it, all of them in turn (A B C, A B C ...). Printed are median, 95th percentile, and the processor time of
this process, which says more on a machine that is busy; and the median over that of the smallest store.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from edgeagent.fleet.queries.accuracy_claims import missed_claims
from edgeagent.fleet.queries.alarm_list import AlarmFilter, count_alarms, list_alarms
from edgeagent.fleet.queries.device_facts import device_facts
from edgeagent.fleet.queries.device_groups import device_groups, label_groups
from edgeagent.fleet.queries.device_history import device_history
from edgeagent.fleet.queries.device_list import DeviceFilter, count_devices, list_devices
from edgeagent.fleet.queries.device_log import device_log
from edgeagent.fleet.queries.filter_choices import filter_choices
from edgeagent.fleet.queries.fleet_glance import fleet_glance
from edgeagent.fleet.queries.fleet_totals import present_alarms, total_lost
from edgeagent.fleet.queries.lost_messages import lost_messages
from edgeagent.fleet.queries.model_figures import ModelFilter, model_figures, model_histogram
from edgeagent.fleet.queries.page_of_rows import PageOfRows
from edgeagent.fleet.queries.rollout_progress import failure_reasons, rollout_progress
from edgeagent.fleet.queries.time_span import SPAN
from edgeagent.fleet.store.opening import open_fleet_store
from edgeagent.fleet.store.protocol import FleetStore

EVERYTHING = "*"
ONE = "device-000007"
_NAME = "concat('device-', leftPad(toString(number), 6, '0'))"
_BOARD = "concat('board ', toString(number % 8))"
_MODEL = "concat('1.', toString(number % 6), '.0')"
FILL = (
    f"""INSERT INTO devices (tenant, device, updated, first_stored, last_stored, status, status_time, agent, board,
    bundle, bundle_version, delegate, alarm_time, serving, problem_codes, deployment_time, deployment_state,
    deployment_name, deployment_version, rollout, map50_95, map_claimed, fps, p50_ms, p90_ms, p99_ms, watts,
    joules_per_inference, temperature_c)
    SELECT '', {_NAME}, now64(3), now64(3), now64(3) - number % 900, if(number % 50 = 0, 'offline', 'online'),
    now64(3), '0.9.0', {_BOARD}, 'coco-nano', {_MODEL}, 'tflite-xnnpack', now64(3), 'tflite-xnnpack model.tflite',
    if(number % 33 = 0, ['throttled'], []), now64(3) - number, if(number % 70 = 0, 'rolled_back', 'good'),
    'coco-nano', {_MODEL}, 'a', 0.3 + (number % 11 - 2) / 1000, 0.3, 10 + number % 9, 20 + number % 30,
    30 + number % 30, 40 + number % 30, 4 + number % 3, 0.05, 50 + number % 30 FROM numbers({{devices:UInt64}})""",
    f"""INSERT INTO labels (tenant, device, label, value, changed, by) SELECT '', {_NAME}, label,
    concat(label, ' ', toString(number % 20)), now64(3), 'bench' FROM numbers({{devices:UInt64}})
    ARRAY JOIN ['site', 'cohort'] AS label""",
    f"""INSERT INTO problems (tenant, device, code, camera, since, computed, text, seen, ended)
    SELECT '', {_NAME}, 'throttled', '', now64(3) - number, now64(3), 'hot', now64(3),
    if(number % 3 = 0, NULL, now64(3)) FROM numbers({{devices:UInt64}}) WHERE number % 11 = 0""",
    f"""INSERT INTO sequences (tenant, device, run, stream, block, computed, messages, first, last, first_time,
    last_time) SELECT '', {_NAME}, 1, 'telemetry', block, now64(3), 1024 - (number % 97 = 0), block * 1024 + 1,
    block * 1024 + 1024, now64(3), now64(3) FROM numbers({{devices:UInt64}}) ARRAY JOIN range(4) AS block""",
)
_BUCKETS = "mapFromArrays(arrayMap(i -> toInt16(200 + i), range(120)), arrayMap(i -> toUInt64(1000 - 8 * i), range(120)))"
MODELS = (
    f"""INSERT INTO models_hour (tenant, at, board, bundle, bundle_version, artefact, delegate, devices, computed,
    messages, seconds, frames, frames_dropped, energy_j, energy_covered_s, inference_used_j, inference_idle_j,
    inferences) SELECT '', toStartOfHour(now()) - 3600 * hour, {_BOARD}, 'coco-nano', {_MODEL}, 'model.tflite',
    'tflite-xnnpack', 2000, now64(3), 360, 3600, 36000, 10, 18000, 3600, 3000, 1000, 36000
    FROM numbers(48) ARRAY JOIN range(168) AS hour""",
    f"""INSERT INTO models_latency_hour (tenant, at, board, bundle, bundle_version, artefact, delegate, stage,
    computed, buckets) SELECT '', toStartOfHour(now()) - 3600 * hour, {_BOARD}, 'coco-nano', {_MODEL},
    'model.tflite', 'tflite-xnnpack', stage, now64(3), {_BUCKETS}
    FROM numbers(48) ARRAY JOIN range(168) AS hour ARRAY JOIN ['end_to_end', 'inference', 'decode'] AS stage""",
    f"""INSERT INTO latency_minute (tenant, device, at, bundle, bundle_version, artefact, delegate, stage, computed,
    buckets) SELECT '', '{ONE}', toStartOfMinute(now()) - 60 * number, 'coco-nano', '1.1.0', 'model.tflite',
    'tflite-xnnpack', stage, now64(3), {_BUCKETS}
    FROM numbers(1440) ARRAY JOIN ['end_to_end', 'inference', 'preprocess', 'decode', 'queue'] AS stage""",
)  # fmt: skip


def fill(store: FleetStore, devices: int) -> None:
    """Fill an empty store."""
    for statement in FILL:
        store.execute(statement, {"devices": devices})
    for statement in MODELS:
        store.execute(statement)


def questions(store: FleetStore) -> dict[str, Callable[[], object]]:
    """Return what the page asks, by view and question."""
    nothing, span = ModelFilter(), SPAN["7d"]
    by_label = DeviceFilter(label="site", value="site 3")
    return {
        "fleet: glance": lambda: fleet_glance(store, EVERYTHING),
        "fleet: by board": lambda: device_groups(store, EVERYTHING, "board"),
        "fleet: by label": lambda: label_groups(store, EVERYTHING, "site"),
        "fleet: below claim": lambda: missed_claims(store, EVERYTHING),
        "fleet: lost": lambda: total_lost(store, EVERYTHING),
        "devices: first": lambda: list_devices(store, EVERYTHING, DeviceFilter()),
        "devices: by p99, search": lambda: list_devices(
            store, EVERYTHING, DeviceFilter(search="77"), "p99", True, PageOfRows(3)
        ),
        "devices: by label": lambda: list_devices(store, EVERYTHING, by_label),
        "devices: count": lambda: count_devices(store, EVERYTHING, DeviceFilter(state="degraded")),
        "devices: choices": lambda: filter_choices(store, EVERYTHING),
        "device: facts": lambda: device_facts(store, EVERYTHING, "", ONE),
        "device: day": lambda: device_history(
            store, EVERYTHING, "", ONE, SPAN["24h"], datetime.now(timezone.utc)
        ),
        "device: log": lambda: device_log(store, EVERYTHING, "", ONE),
        "models: figures": lambda: model_figures(store, EVERYTHING, nothing, span),
        "models: histogram": lambda: model_histogram(store, EVERYTHING, nothing, "end_to_end", span),
        "rollouts: progress": lambda: rollout_progress(store, EVERYTHING),
        "rollouts: reasons": lambda: failure_reasons(store, EVERYTHING),
        "alarms: open": lambda: list_alarms(store, EVERYTHING, AlarmFilter()),
        "alarms: count": lambda: count_alarms(store, EVERYTHING, AlarmFilter()),
        "alarms: by code": lambda: present_alarms(store, EVERYTHING),
        "lost: gaps": lambda: lost_messages(store, EVERYTHING),
    }


def measure(asked: dict[str, Callable[[], object]], times: int) -> dict[str, list[tuple[float, float]]]:
    """Return milliseconds of time and of processor time of each question; the first round does not count."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for turn in range(times + 1):
        for name, ask in asked.items():
            began, cpu = time.perf_counter(), time.process_time()
            ask()
            if turn:
                found[name].append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu)))
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--store", type=Path, help="folder for the stores (default: a temporary one)")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, {arguments.times} times each")
    smallest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for devices in arguments.devices:
            store = open_fleet_store(str((arguments.store or Path(folder)) / str(devices)))
            try:
                began = time.monotonic()
                fill(store, devices)
                print(f"\n{devices} devices (filled in {time.monotonic() - began:.1f} s)")
                print("question                  p50, ms  p95, ms  processor, ms  p50 over the smallest")
                for name, rows in measure(questions(store), arguments.times).items():
                    spent = sorted(ms for ms, _ in rows)
                    middle = statistics.median(spent)
                    last = spent[min(len(spent) - 1, round(0.95 * len(spent)))]
                    cpu = statistics.median(ms for _, ms in rows)
                    smallest.setdefault(name, middle)
                    print(f"{name:24} {middle:8.1f} {last:8.1f} {cpu:14.1f} {middle / smallest[name]:12.1f}")
            finally:
                store.close()


if __name__ == "__main__":
    main()
