from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.apex import Apex, read_apex
from tests.sensors.test_power import DAMAGES, damage_file
from tests.sensors.tree import link_entries, unpack

CHIP = "sys/class/apex/apex_0"


def test_values_are_as_the_driver_rounds_them(tmp_path: Path) -> None:
    root = unpack("coral-pcie", tmp_path)
    link_entries(root, "sys/class/apex")
    assert read_apex(root) == {"apex_0": Apex("ALIVE", 48.3, (84.8, 89.8, 94.8))}


def test_the_values_of_the_fixture_can_come_from_the_driver(tmp_path: Path) -> None:
    root = unpack("coral-pcie", tmp_path)
    values = [int((root / CHIP / name).read_text()) for name in ("temp", "trip_point0_temp", "hw_temp_warn1")]
    assert [value % 250 for value in values] == [50, 50, 50]


@pytest.mark.parametrize(("heat", "throttled"), [(84550, False), (84800, True), (95050, True)])
def test_above_the_first_trip_point_its_clock_is_divided(tmp_path: Path, heat: int, throttled: bool) -> None:
    root = unpack("coral-pcie", tmp_path)
    (root / CHIP / "temp").write_text(f"{heat}\n", encoding="ascii")
    assert read_apex(root)["apex_0"].throttled is throttled


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_read_is_absent_and_the_rest_is_there(tmp_path: Path, damage: str) -> None:
    root = unpack("coral-pcie", tmp_path)
    damage_file(root / CHIP / "temp", damage)
    damage_file(root / CHIP / "trip_point1_temp", damage)
    chip = read_apex(root)["apex_0"]
    assert chip == Apex("ALIVE", None, (84.8, 94.8))
    assert chip.throttled is None


def test_a_coral_on_usb_has_no_readings(tmp_path: Path) -> None:
    assert read_apex(unpack("coral-usb", tmp_path)) == {}
