from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.hwmon_power import read_hwmon_watts
from tests.sensors.test_power import DAMAGES, add_chip, damage_file
from tests.sensors.tree import link_entries, unpack


@pytest.mark.parametrize(
    ("name", "files", "watts"),
    [
        ("ina219", {"power1_input": 5_120_000, "in1_input": 5000, "curr1_input": 1}, 5.12),
        ("ina226", {"in0_input": 3, "in1_input": 5000, "curr1_input": 900}, 4.5),
        ("ina260", {"in1_input": 12_000, "curr1_input": -500}, 6.0),  # shunt with reversed polarity
        ("ina219", {"power1_input": 0}, 0.0),
        ("powerz", {"in0_input": 5100, "curr1_input": 1000, "in1_input": 3000}, 5.1),
        ("ina219", {"in1_input": 5000}, None),
        ("amdgpu", {"power1_input": 9_000_000}, None),  # a component, not a meter
        ("rpi_volt", {"in0_lcrit_alarm": 0}, None),
    ],
)
def test_watts_of_a_chip(tmp_path: Path, name: str, files: dict[str, int], watts: float | None) -> None:
    add_chip(tmp_path, 3, name, **files)
    assert read_hwmon_watts(tmp_path) == ({} if watts is None else {name: pytest.approx(watts)})


def test_chips_of_one_name_are_told_apart(tmp_path: Path) -> None:
    add_chip(tmp_path, 1, "ina219", power1_input=1_000_000)
    add_chip(tmp_path, 2, "ina219", power1_input=2_000_000)
    link_entries(tmp_path, "sys/class/hwmon")
    assert read_hwmon_watts(tmp_path) == {"ina219 hwmon1": 1.0, "ina219 hwmon2": 2.0}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["name", "power1_input"])
def test_a_chip_that_fails_leaves_the_others_alone(tmp_path: Path, file: str, damage: str) -> None:
    add_chip(tmp_path, 1, "ina219", power1_input=1_000_000)
    add_chip(tmp_path, 2, "ina226", power1_input=2_000_000)
    damage_file(tmp_path / "sys/class/hwmon/hwmon1" / file, damage)
    assert read_hwmon_watts(tmp_path) == {"ina226": 2.0}


def test_a_board_without_a_meter(tmp_path: Path) -> None:
    assert read_hwmon_watts(unpack("raspberry-pi-5", tmp_path)) == {}
