from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors import ina3221
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.sensors.rapl import Rapl
from tests.sensors.tree import unpack

SECOND = 1_000_000_000
HWMON = "sys/bus/i2c/devices/1-0040/hwmon/hwmon1"
ENERGY = "sys/class/powercap/intel-rapl:0/energy_uj"


@pytest.mark.parametrize(
    ("board", "watts"),
    [
        ("jetson-orin-nano", 4.984 * 1.856),
        ("jetson-nano", 3.774),
        ("jetson-agx-orin", None),  # no rail is the input, and rails do not add up to it
        ("raspberry-pi-5", None),
        ("x86-rapl", None),
    ],
)
def test_input_power_of_a_board(tmp_path: Path, board: str, watts: float | None) -> None:
    found = ina3221.read_watts(unpack(board, tmp_path))
    assert found == (None if watts is None else pytest.approx(watts))


@pytest.mark.parametrize("damage", ["missing", "empty", "no number"])
def test_a_rail_that_cannot_be_read_is_absent_not_zero(tmp_path: Path, damage: str) -> None:
    current = unpack("jetson-orin-nano", tmp_path) / HWMON / "curr1_input"
    if damage == "missing":
        current.unlink()
    else:
        current.write_text("" if damage == "empty" else "n/a\n", encoding="ascii")
    assert ina3221.read_watts(tmp_path) is None
    assert PowerMeter(tmp_path).read() is None


def test_the_number_of_a_hwmon_changes_from_boot_to_boot(tmp_path: Path) -> None:
    folder = unpack("jetson-orin-nano", tmp_path) / HWMON
    folder.rename(folder.with_name("hwmon4"))
    assert ina3221.read_watts(tmp_path) == pytest.approx(9.250304)


def test_rapl_is_energy_between_two_readings(tmp_path: Path) -> None:
    unpack("x86-rapl", tmp_path)
    rapl = Rapl(tmp_path)
    assert rapl.read_watts(10 * SECOND) is None
    (tmp_path / ENERGY).write_text(f"{240422366267 + 15_000_000}\n", encoding="ascii")
    assert rapl.read_watts(12 * SECOND) == pytest.approx(7.5)
    assert rapl.read_watts(13 * SECOND) == 0.0  # nothing used: a reading, not an absence


def test_the_counter_of_rapl_wraps(tmp_path: Path) -> None:
    unpack("x86-rapl", tmp_path)
    rapl = Rapl(tmp_path)
    (tmp_path / ENERGY).write_text("262143000000\n", encoding="ascii")
    rapl.read_watts(0)
    (tmp_path / ENERGY).write_text("9671150\n", encoding="ascii")
    assert rapl.read_watts(SECOND) == pytest.approx(10.0)


def test_rapl_without_permission_or_after_a_gap_is_absent(tmp_path: Path) -> None:
    unpack("x86-rapl", tmp_path)
    rapl = Rapl(tmp_path)
    rapl.read_watts(0)
    text = (tmp_path / ENERGY).read_text(encoding="ascii")
    (tmp_path / ENERGY).unlink()
    assert rapl.read_watts(SECOND) is None
    (tmp_path / ENERGY).write_text(text, encoding="ascii")
    assert rapl.read_watts(2 * SECOND) is None
    assert rapl.read_watts(3 * SECOND) == 0.0


def test_the_meter_says_what_it_read_and_what_that_covers(tmp_path: Path) -> None:
    orin = PowerMeter(unpack("jetson-orin-nano", tmp_path / "orin"))
    assert orin.read() == Power(4.984 * 1.856, "INA3221", "whole board")
    desktop = PowerMeter(unpack("x86-rapl", tmp_path / "x86"))
    assert desktop.read() is None
    reading = desktop.read()
    assert reading is not None
    assert (reading.source, reading.quality) == ("RAPL packages", "measured rail")
    assert PowerMeter(unpack("raspberry-pi-5", tmp_path / "pi")).read() is None
