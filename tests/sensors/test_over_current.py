from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.over_current import OverCurrent, read_over_current_counts
from tests.sensors.test_power import DAMAGES, damage_file
from tests.sensors.tree import unpack

CHIP = "sys/class/hwmon/hwmon3"


def count(root: Path, number: int, events: int) -> None:
    (root / CHIP / f"oc{number}_event_cnt").write_text(f"{events}\n", encoding="ascii")


def test_counters_are_since_boot_and_only_what_is_new_counts(tmp_path: Path) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    assert read_over_current_counts(root) == {
        "under_voltage": 1,
        "average_over_current": 0,
        "instantaneous_over_current": 2,
    }
    over = OverCurrent(root)
    none = {"under_voltage": 0, "average_over_current": 0, "instantaneous_over_current": 0}
    assert over.read() == none
    count(root, 3, 7)
    assert over.read() == {**none, "instantaneous_over_current": 5}
    assert over.read() == none
    count(root, 3, 1)  # counter reset
    assert over.read() == {**none, "instantaneous_over_current": 1}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_counter_that_fails_is_absent_and_what_it_missed_counts_afterwards(
    tmp_path: Path, damage: str
) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    over = OverCurrent(root)
    damage_file(root / CHIP / "oc1_event_cnt", damage)
    assert over.read() == {"average_over_current": 0, "instantaneous_over_current": 0}
    (root / CHIP / "oc1_event_cnt").unlink(missing_ok=True)
    count(root, 1, 4)
    assert over.read()["under_voltage"] == 3


def test_other_boards_count_nothing(tmp_path: Path) -> None:
    assert OverCurrent(unpack("raspberry-pi-5", tmp_path)).read() == {}
