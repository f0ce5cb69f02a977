"""Power supplies in /sys/class/power_supply."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.battery import Supply, read_supply
from tests.sensors.tree import link_entries, make_unreadable, unpack


def add(root: Path, name: str, **files: str) -> Path:
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n", encoding="ascii")
    return folder


def battery(root: Path, name: str = "BAT0", **files: str) -> Path:
    return add(
        root, name, **{"type": "Battery", "present": "1", "capacity": "80", "status": "Unknown", **files}
    )


def test_without_supplies_nothing_is_known(tmp_path: Path) -> None:
    assert read_supply(unpack("raspberry-pi-5", tmp_path)) == Supply(None, None)


@pytest.mark.parametrize(
    ("status", "on_mains"),
    [("Discharging", False), ("Charging", True), ("Full", True), ("Not charging", True), ("Unknown", None)],
)
def test_a_battery_tells_its_charge_and_who_carries_the_load(
    tmp_path: Path, status: str, on_mains: bool | None
) -> None:
    battery(tmp_path, status=status)
    assert read_supply(tmp_path) == Supply(80.0, on_mains)


@pytest.mark.parametrize("kind", ["Mains", "USB", "USB_PD", "Wireless"])
@pytest.mark.parametrize(("online", "on_mains"), [("0", False), ("1", True)])
def test_external_power_that_is_online_carries_the_load(
    tmp_path: Path, kind: str, online: str, on_mains: bool
) -> None:
    battery(tmp_path, status="Discharging")
    add(tmp_path, "AC", type=kind, online=online)
    assert read_supply(tmp_path) == Supply(80.0, on_mains)


def test_a_board_that_is_fed_through_its_pins_is_not_off(tmp_path: Path) -> None:
    """The USB-C socket of a Jetson reads ``online 0`` while the board runs from its barrel jack."""
    add(tmp_path, "ucsi-source-psy-2-00081", type="USB", scope="System", online="0")
    assert read_supply(tmp_path) == Supply(None, None)


def test_the_battery_of_a_mouse_is_not_of_this_machine(tmp_path: Path) -> None:
    battery(tmp_path, "hidpp_battery_0", scope="Device", capacity="3", status="Discharging")
    assert read_supply(tmp_path) == Supply(None, None)


def test_a_battery_that_is_not_in_its_bay_does_not_count(tmp_path: Path) -> None:
    battery(tmp_path, present="0", capacity="0", status="Discharging")
    assert read_supply(tmp_path) == Supply(None, None)


def test_of_two_batteries_the_emptier_counts_and_a_ups_is_one(tmp_path: Path) -> None:
    battery(tmp_path, "BAT0", capacity="80")
    battery(tmp_path, "ups", type="UPS", capacity="35", status="Discharging")
    assert read_supply(tmp_path) == Supply(35.0, False)


@pytest.mark.parametrize("text", ["", "-1", "n/a", "²"])
def test_a_charge_that_is_no_number_is_absent(tmp_path: Path, text: str) -> None:
    (battery(tmp_path, status="Discharging") / "capacity").write_text(text, encoding="utf-8")
    assert read_supply(tmp_path) == Supply(None, False)


@pytest.mark.parametrize(("text", "charge"), [("0", 0.0), ("100", 100.0), ("103", 100.0)])
def test_an_empty_battery_has_a_charge(tmp_path: Path, text: str, charge: float) -> None:
    battery(tmp_path, capacity=text, status="Full")
    assert read_supply(tmp_path) == Supply(charge, True)


def test_what_cannot_be_read_is_absent(tmp_path: Path) -> None:
    make_unreadable(battery(tmp_path, status="Discharging") / "capacity")
    assert read_supply(tmp_path) == Supply(None, False)


def test_supplies_are_links_in_a_real_tree(tmp_path: Path) -> None:
    battery(tmp_path, status="Discharging")
    link_entries(tmp_path, "sys/class/power_supply")
    assert read_supply(tmp_path) == Supply(80.0, False)


def test_this_machine_can_be_read() -> None:
    charge = read_supply().battery_percent
    assert charge is None or 0 <= charge <= 100
