"""Replay from a real spool: in order, without messages in flight, without corrupted ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edgeagent.telemetry.contract.streams import LOWEST
from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool
from edgeagent.telemetry.mqtt.replay import READ_AHEAD, Replay
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage


def replay(path: Path, corrupted: list[int]) -> tuple[Replay, FaultTolerantSpool]:
    """An open spool, and its replay."""
    spool = FaultTolerantSpool(lambda: Spool(path, 50_000_000, 604_800.0))
    spool.open(0.0)
    return Replay(spool, 20.0, corrupted.append), spool


def replayed(position: Replay, skipped: set[int]) -> list[int]:
    found = []
    while (message := position.next(skipped)) is not None:
        assert position.next(skipped) is message, "it does not advance by itself"
        found.append(message.id)
        position.advance()
    return found


def test_messages_come_in_order_without_those_in_flight(tmp_path: Path) -> None:
    position, spool = replay(tmp_path / "spool.db", [])
    assert position.next(()) is None
    assert position.finished
    count = 2 * READ_AHEAD + 3
    spool.append([SpooledMessage(number, "telemetry", LOWEST, b"{}") for number in range(1, count + 1)])
    position.finished = False
    in_flight = {1, 2, READ_AHEAD + 1, count}
    assert replayed(position, in_flight) == [n for n in range(1, count + 1) if n not in in_flight]
    assert position.finished
    spool.append([SpooledMessage(count + 1, "telemetry", LOWEST, b"{}")])
    assert replayed(position, set()) == [count + 1]
    spool.close()


def test_corrupted_messages_are_deleted_and_counted(tmp_path: Path) -> None:
    corrupted: list[int] = []
    position, spool = replay(tmp_path / "spool.db", corrupted)
    spool.append([SpooledMessage(number, "telemetry", LOWEST, b"{}") for number in (1, 2, 3)])
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as database:
        database.execute("UPDATE waiting SET crc = crc + 1 WHERE id = 2")
    database.close()
    position, spool = replay(tmp_path / "spool.db", corrupted)
    assert replayed(position, set()) == [1, 3]
    assert corrupted == [1]
    assert spool.state().waiting == 2
    spool.close()


def test_the_rate_is_that_of_the_settings(tmp_path: Path) -> None:
    position, _ = replay(tmp_path / "spool.db", [])
    assert position.interval_s == 0.05
    assert position.allows(1_000_000_000)
    assert not position.allows(1_049_000_000)
    assert position.allows(1_050_000_000)
