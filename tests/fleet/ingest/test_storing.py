"""Storing a batch: on a full disk, and with rows that the store refuses."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgeagent.fleet.ingest.batch import MessageBatch
from edgeagent.fleet.ingest.storing import BatchStoring
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.protocol import QueryResult, Row, StoreError
from tests.fleet.rows import telemetry_row
from tests.small_disk import on_small_disk


def batch_of(*rows: dict[str, Any]) -> MessageBatch:
    batch = MessageBatch(0.0)
    for row in rows:
        batch.add("telemetry", row)
    return batch


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fleet.ingest.full_disk", str(tmp_path)]
    done = on_small_disk(tmp_path, "60m", command)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["told"] is not None
    assert found["before"] == []  # not acknowledged
    assert found["stored"] == [True]
    assert found["rows"] == [[2000, 2000]]
    assert found["now"] is None


def test_a_row_that_the_store_refuses_is_a_dead_letter(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    rows = [telemetry_row("gate", number) for number in range(1, 21)]
    rows[6]["interval_s"] = "ten"
    assert BatchStoring(store, threading.Event()).store(batch_of(*rows))
    assert store.query("SELECT count() FROM telemetry FINAL").rows == [(19,)]
    found = store.query("SELECT reason, topic, payload FROM dead_letters FINAL").rows
    assert [row[:2] for row in found] == [("refused", "gate: telemetry")]
    assert "'interval_s': 'ten'" in found[0][2]
    store.close()


class AwayStore:
    """Store that cannot be reached a number of times; it stands for a server that is away."""

    def __init__(self, failures: int) -> None:
        self.failures, self.inserted = failures, 0

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the store cannot be reached")
        self.inserted += len(rows)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        raise NotImplementedError

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def test_a_store_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    store = AwayStore(3)
    storing = BatchStoring(store, threading.Event())
    with caplog.at_level(logging.WARNING):
        assert storing.store(batch_of(telemetry_row("gate", 1), telemetry_row("gate", 2)))
    assert store.inserted == 2
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "none is acknowledged" in told[0]
    assert told[1] == "the store takes messages again"


def test_a_batch_is_given_up_when_the_process_ends() -> None:
    stopping = threading.Event()
    stopping.set()
    assert not BatchStoring(AwayStore(1000), stopping).store(batch_of(telemetry_row("gate", 1)))
