"""Derived tables: what they contain, also after repetition, late messages and duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edgeagent.fleet.queries.table_age import table_age
from edgeagent.fleet.store.derivation import Derivation
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.timing.histogram import Histogram
from tests.fleet.rows import BEGIN, durations, info_row, telemetry_row

UPDATE = BEGIN + timedelta(seconds=95)
"""Time at which the model is exchanged: between the messages 10 and 11."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path)
    yield opened
    opened.close()


def fill(store: EmbeddedStore, device: str = "gate", left_out: tuple[int, ...] = ()) -> None:
    store.insert("info", [info_row(device, BEGIN - timedelta(minutes=1), "1"), info_row(device, UPDATE, "2")])
    rows = [telemetry_row(device, number) for number in range(1, 31) if number not in left_out]
    store.insert("telemetry", rows)


def totals(store: EmbeddedStore) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for step in ("minute", "hour", "day"):
        found[f"system {step}"] = store.query(f"SELECT sum(messages) FROM system_{step} FINAL").rows[0][0]
        sql = f"SELECT sum(arraySum(mapValues(buckets))) FROM latency_{step} FINAL"
        found[f"latency {step}"] = store.query(sql).rows[0][0]
    found["models"] = store.query("SELECT sum(messages) FROM models_hour FINAL").rows[0][0]
    sql = "SELECT sum(arraySum(mapValues(buckets))) FROM models_latency_hour FINAL"
    found["models' latency"] = store.query(sql).rows[0][0]
    return found


def expected(messages: int) -> dict[str, int]:
    names = ("minute", "hour", "day")
    return {
        **{f"system {name}": messages for name in names},
        **{f"latency {name}": 50 * messages for name in names},
        "models": messages,
        "models' latency": 50 * messages,
    }


def test_each_message_counts_once_in_every_table(store: EmbeddedStore) -> None:
    fill(store)
    derivation = Derivation(store)
    derivation.step(models=True)
    assert totals(store) == expected(30)
    fill(store)  # all of it again
    derivation.step(models=True)
    Derivation(store).step(models=True)
    assert totals(store) == expected(30)


def test_a_late_message_corrects_its_minute(store: EmbeddedStore) -> None:
    fill(store, left_out=(7, 8))
    derivation = Derivation(store)
    derivation.step(models=True)
    assert totals(store) == expected(28)
    store.insert("telemetry", [telemetry_row("gate", 7, historical=True), telemetry_row("gate", 8)])
    derivation.step(models=True)
    assert totals(store) == expected(30)
    sql = "SELECT messages, seconds, frames FROM system_minute FINAL WHERE at = {at:DateTime64(3)}"
    assert store.query(sql, {"at": BEGIN.replace(second=0) + timedelta(minutes=1)}).rows == [
        (4, 40, 200),
        (2, 20, 100),
    ]


def test_values_of_a_minute(store: EmbeddedStore) -> None:
    fill(store)
    Derivation(store).step(models=True)
    (row,) = store.query("SELECT * FROM system_minute FINAL ORDER BY at LIMIT 1").records()
    assert row["messages"] == 6
    assert row["seconds"] == 60
    assert row["frames"] == 300
    assert row["frames_dropped"] == 18
    assert row["temperature_max_c"] == 56
    assert row["temperature_mean_c"] == 53.5
    assert row["watts_max"] == 5
    assert row["energy_j"] is None  # no message had it
    merged = durations(1, 50)
    for number in range(2, 7):
        merged.add(durations(number, 50))
    (buckets,) = store.query("SELECT buckets FROM latency_minute FINAL ORDER BY at LIMIT 1").rows[0]
    assert {int(index): count for index, count in buckets.items()} == merged.buckets()


def test_the_model_is_that_of_the_info_before(store: EmbeddedStore) -> None:
    fill(store)
    Derivation(store).step(models=True)
    sql = "SELECT bundle_version, messages, devices, board FROM models_hour FINAL ORDER BY bundle_version"
    assert store.query(sql).rows == [("1", 10, 1, "Raspberry Pi 5"), ("2", 20, 1, "Raspberry Pi 5")]


def test_an_info_that_comes_late_moves_messages_to_its_model(store: EmbeddedStore) -> None:
    store.insert("telemetry", [telemetry_row("gate", number) for number in range(1, 31)])
    store.insert("info", [info_row("gate", BEGIN - timedelta(minutes=1), "1")])
    derivation = Derivation(store)
    derivation.step(models=True)
    sql = "SELECT bundle_version, messages FROM system_day FINAL WHERE messages > 0 ORDER BY bundle_version"
    assert store.query(sql).rows == [("1", 30)]
    store.insert("info", [info_row("gate", UPDATE, "2")])
    derivation.step(models=True)
    assert store.query(sql).rows == [("1", 10), ("2", 20)]
    assert totals(store) == expected(30)


def test_a_repeated_message_with_a_wrong_clock_counts_once(store: EmbeddedStore) -> None:
    wrong = {"device_time": "1970-01-01T00:00:10Z", "clock": "past"}
    store.insert("telemetry", [telemetry_row("gate", 1, **wrong)])
    derivation = Derivation(store)
    derivation.step(models=True)
    later = BEGIN + timedelta(minutes=7)  # the same message arrives again
    store.insert("telemetry", [telemetry_row("gate", 1, **wrong, time=later, stored=later)])
    derivation.step(models=True)
    assert totals(store) == expected(1)


def test_gaps_are_counted(store: EmbeddedStore) -> None:
    store.insert("telemetry", [telemetry_row("gate", n) for n in range(1, 3001) if n % 1000 and n != 1500])
    derivation = Derivation(store)
    derivation.step()
    sql = "SELECT max(last) - min(first) + 1 - sum(messages) FROM sequences FINAL WHERE device = 'gate'"
    assert store.query(sql).rows == [(3,)]  # 1000, 1500, 2000; whether 3000 was sent, nobody knows
    store.insert(
        "telemetry", [telemetry_row("gate", 1500), telemetry_row("gate", 1), telemetry_row("gate", 2)]
    )
    derivation.step()
    assert store.query(sql).rows == [(2,)]


def alarm(seconds: int, codes: tuple[str, ...]) -> dict[str, Any]:
    at = BEGIN + timedelta(seconds=seconds)
    return {
        "device": "gate",
        "run": -1,
        "device_time": at,
        "time": at,
        "stored": at,
        "problem_codes": codes,
        "problem_cameras": ["" for _ in codes],
        "problem_since": [BEGIN for _ in codes],
        "problem_texts": [f"{code} at {seconds}" for code in codes],
    }


def test_problems_begin_and_end(store: EmbeddedStore) -> None:
    derivation = Derivation(store)
    store.insert("alarm_messages", [alarm(0, ("throttled",)), alarm(40, ("drift",))])
    derivation.step()
    store.insert("alarm_messages", [alarm(20, ("throttled", "drift"))])  # arrives late
    derivation.step()
    found = {row["code"]: row for row in store.query("SELECT * FROM problems FINAL").records()}
    assert found["throttled"]["ended"] == (BEGIN + timedelta(seconds=40)).strftime("%Y-%m-%d %H:%M:%S.000")
    assert found["throttled"]["text"] == "throttled at 20"
    assert found["drift"]["ended"] is None
    assert store.query("SELECT problem_codes FROM devices FINAL").rows == [(["drift"],)]


def test_devices_have_the_newest_of_each_stream(store: EmbeddedStore) -> None:
    derivation = Derivation(store)
    fill(store)
    derivation.step()
    status = {"device": "gate", "device_time": BEGIN, "time": BEGIN, "stored": BEGIN, "status": "online"}
    store.insert("status", [status])
    derivation.step()
    store.insert("telemetry", [telemetry_row("gate", 3, historical=True)])  # replayed
    derivation.step()
    (row,) = store.query("SELECT * FROM devices FINAL").records()
    assert row["status"] == "online"
    assert row["bundle_version"] == "2"
    assert row["temperature_c"] == 80
    assert row["fps"] == 5
    merged = merged_durations(*range(1, 31))
    assert merged.percentiles().p99 is not None
    assert [row[f"{name}_ms"] for name in ("p50", "p90", "p99")] == [*rounded(merged)]
    assert row["deployment_state"] is None
    assert row["joules_per_inference"] is None


def test_percentiles_of_devices_are_of_the_minutes_before_their_newest(store: EmbeddedStore) -> None:
    """Two devices at different times, of which one has enough frames for a p99; and nothing is left over."""
    numbers = (*range(1, 4), *range(100, 131))  # 16 minutes between them
    store.insert("telemetry", [telemetry_row("busy", number) for number in numbers])
    store.insert("telemetry", [telemetry_row("rare", number) for number in (200, 201)])
    derivation = Derivation(store)
    derivation.step()
    found = recent(store)
    assert found["busy"] == rounded(merged_durations(*range(100, 131)))
    p50, p90, _ = rounded(merged_durations(200, 201))
    assert found["rare"] == (p50, p90, None)
    store.insert("telemetry", [telemetry_row("rare", 400)])  # half an hour later
    derivation.step()
    assert recent(store)["rare"] == (rounded(merged_durations(400))[0], None, None)
    assert recent(store)["busy"] == found["busy"]


def recent(store: EmbeddedStore) -> dict[str, tuple[float | None, ...]]:
    rows = store.query("SELECT device, p50_ms, p90_ms, p99_ms FROM devices FINAL").rows
    return {str(device): tuple(values) for device, *values in rows}


def merged_durations(*numbers: int) -> Histogram:
    merged = Histogram()
    for number in numbers:
        merged.add(durations(number, 50))
    return merged


def rounded(merged: Histogram) -> tuple[float | None, ...]:
    found = merged.percentiles()
    return (found.p50, found.p90, found.p99)


def test_the_age_of_the_tables(store: EmbeddedStore) -> None:
    assert table_age(store) is None
    Derivation(store).step()
    age = table_age(store)
    assert age is not None
    assert 0 <= age.seconds < 600
    store.execute("TRUNCATE TABLE derivation_progress")
    hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    store.insert("derivation_progress", [{"name": "all", "upto": hour_ago}])
    old = table_age(store)
    assert old is not None
    assert old.seconds >= 3600
    assert table_age(store, "models") is None


def test_a_retained_message_does_not_say_that_a_device_is_there(store: EmbeddedStore) -> None:
    later = BEGIN + timedelta(hours=1)
    store.insert("telemetry", [telemetry_row("gate", 1)])
    store.insert("info", [info_row("gate", BEGIN, "1", stored=later, retained=True)])
    Derivation(store).step()
    sql = "SELECT last_stored FROM devices FINAL"
    assert store.query(sql).rows == [(BEGIN.strftime("%Y-%m-%d %H:%M:%S.000"),)]
