from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.battery_power import read_battery_watts
from tests.sensors.test_power import DAMAGES, damage_file
from tests.sensors.tree import unpack


def add_supply(root: Path, name: str, **files: str | int) -> Path:
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True)
    for file, value in files.items():
        (folder / file).write_text(f"{value}\n", encoding="ascii")
    return folder


@pytest.mark.parametrize(
    ("files", "watts"),
    [
        ({"type": "Battery", "status": "Discharging", "power_now": 8_400_000}, 8.4),
        (
            {"type": "UPS", "status": "Discharging", "voltage_now": 8_000_000, "current_now": 500_000},
            4.0,
        ),
        (
            {
                "type": "Battery",
                "status": "Discharging",
                "voltage_now": 8_000_000,
                "current_now": -500_000,
            },
            4.0,
        ),
        ({"type": "Battery", "status": "Charging", "power_now": 8_400_000}, None),
        ({"type": "Battery", "status": "Full", "power_now": 0}, None),
        ({"type": "Battery", "status": "Discharging", "scope": "Device", "power_now": 9000}, None),  # a mouse
        ({"type": "USB", "status": "Discharging", "power_now": 60_000_000}, None),
        ({"type": "Battery", "status": "Discharging", "voltage_now": 8_000_000}, None),
        ({"type": "Battery"}, None),
        ({}, None),
    ],
)
def test_only_a_battery_that_feeds_the_board_tells_its_power(
    tmp_path: Path, files: dict[str, str | int], watts: float | None
) -> None:
    add_supply(tmp_path, "BAT0", **files)
    assert read_battery_watts(tmp_path) == (None if watts is None else pytest.approx(watts))


@pytest.mark.parametrize("damage", DAMAGES)
def test_batteries_add_up_and_a_part_of_them_is_not_the_board(tmp_path: Path, damage: str) -> None:
    add_supply(tmp_path, "BAT0", type="Battery", status="Discharging", power_now=3_000_000)
    other = add_supply(tmp_path, "BAT1", type="Battery", status="Discharging", power_now=2_000_000)
    assert read_battery_watts(tmp_path) == pytest.approx(5.0)
    damage_file(other / "power_now", damage)
    assert read_battery_watts(tmp_path) is None


def test_what_a_usb_supply_negotiated_is_not_what_flows(tmp_path: Path) -> None:
    assert read_battery_watts(unpack("jetson-thor", tmp_path)) is None
