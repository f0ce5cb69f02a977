"""The ingest as a whole, with a real broker: faults of devices, killed processes, nothing lost or doubled."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path

import pytest

from edgeagent.fleet.simulator.connections import FleetConnections
from edgeagent.fleet.simulator.faults import Faults
from edgeagent.telemetry.contract.messages import ROOT
from tests.fleet.ingest.running import (
    RunningIngest,
    end,
    fleet_broker,
    running_ingest,
    settings_of,
    simulated,
    wait_for,
)
from tests.long import LONG

logger = logging.getLogger(__name__)

COUNTS = """SELECT * FROM (
SELECT 'telemetry' AS stream, count() AS messages FROM telemetry FINAL
UNION ALL SELECT 'events', count() FROM events FINAL
UNION ALL SELECT 'objects', count() FROM objects FINAL
) ORDER BY stream"""


def stored_once(ingest: RunningIngest, counts: dict[str, int]) -> None:
    expected = [(name, counts[name]) for name in ("events", "objects", "telemetry")]
    ingest.wait_for_rows(COUNTS, expected)


def wait_for_ends(ingest: RunningIngest, number: int) -> None:
    """Wait until the supervisor has told of so many killed processes."""
    told = "ended unexpectedly (exit code -9)"
    wait_for(lambda: ingest.log().count(told) == number, ingest.log())


def test_a_fleet_with_faults_is_stored_once(tmp_path: Path) -> None:
    faults = Faults(0.05, 0.02, 0.05, 0.02, 0.02, 0.05, 0.2, 0.01)
    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log", workers=2) as ingest:
        sent = simulated(broker, 600, devices=20, faults=faults)
        counts = sent.counts
        assert all(
            counts[name] for name in ("duplicates", "lost", "late", "poison", "forged", "newer", "clock")
        )
        stored_once(ingest, counts)
        reasons = [("device", counts["forged"]), ("json", counts["poison"])]
        ingest.wait_for_rows("SELECT reason, count() FROM dead_letters FINAL GROUP BY 1 ORDER BY 1", reasons)
        ingest.wait_for_rows("SELECT count() FROM info FINAL", [(20,)])
        ingest.wait_for_rows("SELECT count() FROM devices FINAL WHERE status = 'online'", [(20,)])
        ingest.wait_for_rows("SELECT sum(messages) FROM system_day FINAL", [(counts["telemetry"],)])
        wrong = "SELECT count(DISTINCT device) FROM telemetry FINAL WHERE clock != 'ok'"
        ingest.wait_for_rows(wrong, [(counts["clock"],)])
        assert ingest.stop() == 0
    assert "error" not in ingest.log().lower()


@LONG
def test_retained_state_is_read_at_the_start(tmp_path: Path) -> None:
    with fleet_broker(tmp_path) as broker:
        simulated(broker, 0, devices=5)  # nobody listens
        with running_ingest(broker, tmp_path / "log") as ingest:
            sql = "SELECT count(), countIf(status = 'online'), countIf(board IS NOT NULL) FROM devices FINAL"
            ingest.wait_for_rows(sql, [(5, 5, 5)])


@LONG
def test_messages_of_an_ingest_that_is_stopped_wait_at_the_broker(tmp_path: Path) -> None:
    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log", workers=2) as ingest:
        assert ingest.stop() == 0
        sent = simulated(broker, 3000, devices=10)  # more than mosquitto keeps by default
        ingest.start()
        stored_once(ingest, sent.counts)


def test_killed_processes_and_a_killed_broker_lose_and_double_nothing(tmp_path: Path) -> None:
    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log", workers=2) as ingest:
        total = simulated(broker, 100, prefix="first-").counts
        for number, victim in enumerate(("worker_process", "store_process"), 1):
            end(ingest.one(victim).pid)
            total += simulated(broker, 100, prefix=f"{victim}-").counts
            wait_for_ends(ingest, number)
        ingest.kill()
        total += simulated(broker, 100, prefix="supervisor-").counts
        ingest.start()
        stored_once(ingest, dict(total))
        before = ingest.subscribed()
        end(broker.pid)
        broker.stop()
        broker.start()  # it has forgotten what it had not written: sessions, too
        wait_for(lambda: ingest.subscribed() >= before + 3, ingest.log())
        total += simulated(broker, 100, prefix="broker-").counts
        stored_once(ingest, dict(total))
        assert "the broker was lost" in ingest.log()


@LONG
def test_tenants_are_apart(tmp_path: Path) -> None:
    with (
        fleet_broker(tmp_path) as broker,
        running_ingest(broker, tmp_path / "log", more=("--tenants",)) as ingest,
    ):
        simulated(broker, 20, devices=2, tenant="north")
        simulated(broker, 10, devices=2, tenant="south")
        simulated(broker, 10, devices=2)  # without a tenant: not subscribed
        sql = "SELECT tenant, count(), uniqExact(device) FROM telemetry FINAL GROUP BY tenant ORDER BY tenant"
        ingest.wait_for_rows(sql, [("north", 20, 2), ("south", 10, 2)])


@LONG
def test_a_second_ingest_of_the_same_folder_is_refused(tmp_path: Path) -> None:
    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log") as ingest:
        second = RunningIngest(broker.port, ingest.folder, tmp_path / "second", 1, ())
        with pytest.raises(AssertionError, match=r"(?s)one process at a time opens it.*cannot be opened"):
            second.start()


@LONG
@pytest.mark.timeout(7200)
def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    """As often as ``EDGEAGENT_KILLS`` says; 100 take a quarter of an hour."""
    chosen = random.Random(5)
    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log", workers=2) as ingest:
        total = simulated(broker, 100, prefix="first-").counts
        for turn in range(int(os.environ.get("EDGEAGENT_KILLS", "20"))):
            victim = chosen.choice(["worker_process", "store_process", "supervisor"])
            if victim == "supervisor":
                ingest.kill()
                ingest.start()
            else:
                end(ingest.one(victim).pid)
            total += simulated(broker, chosen.randrange(50, 400), prefix=f"turn{turn}-").counts
        stored_once(ingest, dict(total))
        logger.info("stored once: %s", dict(total))


@LONG
def test_subscriptions_are_those_of_the_contract(tmp_path: Path) -> None:
    """Topics that the ingest does not store, and those outside of the contract, do not reach it."""
    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log") as ingest:
        with FleetConnections(settings_of(broker), 1) as connections:
            connections.publish(0, f"{ROOT}/gate/picture/yard", b"\xff\xd8")
            connections.publish(0, f"{ROOT}/gate/cmd", b"{}")
            connections.publish(0, f"{ROOT}/gate/telemetry", b"no message")
            assert connections.wait(60)
        sql = "SELECT topic, reason, payload FROM dead_letters FINAL"
        ingest.wait_for_rows(sql, [(f"{ROOT}/gate/telemetry", "json", "no message")])
