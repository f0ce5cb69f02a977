from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeagent.sensors import ina3221
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.sensors.rapl import Rapl
from tests.sensors.tree import link_entries, make_unreadable, unpack

SECOND = 1_000_000_000
IIO = "sys/bus/i2c/devices/6-0040/iio:device0"
HWMON = "sys/bus/i2c/devices/1-0040/hwmon/hwmon1"
ENERGY = "sys/class/powercap/intel-rapl:0/energy_uj"
RANGE = "sys/class/powercap/intel-rapl:0/max_energy_range_uj"


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


def damage_file(path: Path, damage: str) -> None:
    if damage == "missing":
        path.unlink()
    elif damage == "unreadable":
        make_unreadable(path)
    else:
        path.write_text("" if damage == "empty" else "n/a\n", encoding="ascii")


DAMAGES = ("missing", "unreadable", "empty", "no number")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("board", "file"),
    [
        ("jetson-orin-nano", f"{HWMON}/in1_input"),
        ("jetson-orin-nano", f"{HWMON}/curr1_input"),
        ("jetson-nano", f"{IIO}/in_power0_input"),
    ],
)
def test_a_rail_that_cannot_be_read_is_absent_not_zero(
    tmp_path: Path, board: str, file: str, damage: str
) -> None:
    damage_file(unpack(board, tmp_path) / file, damage)
    assert ina3221.read_watts(tmp_path) is None
    assert PowerMeter(tmp_path).read() is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_another_rail_that_cannot_be_read_takes_nothing_away(tmp_path: Path, damage: str) -> None:
    damage_file(unpack("jetson-orin-nano", tmp_path) / HWMON / "in3_input", damage)
    assert ina3221.read_watts(tmp_path) == pytest.approx(9.250304)


def test_a_board_that_draws_nothing_reads_zero(tmp_path: Path) -> None:
    (unpack("jetson-orin-nano", tmp_path) / HWMON / "curr1_input").write_text("0\n", encoding="ascii")
    assert PowerMeter(tmp_path).read() == Power(0.0, "INA3221", "whole board")


@pytest.mark.parametrize(("board", "watts"), [("jetson-orin-nano", 9.250304), ("jetson-nano", 3.774)])
def test_devices_are_links_in_a_real_tree(tmp_path: Path, board: str, watts: float) -> None:
    link_entries(unpack(board, tmp_path), "sys/bus/i2c/devices")
    assert ina3221.read_watts(tmp_path) == pytest.approx(watts)


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


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", [ENERGY, RANGE])
def test_rapl_that_cannot_be_read_is_absent(tmp_path: Path, file: str, damage: str) -> None:
    damage_file(unpack("x86-rapl", tmp_path) / file, damage)
    meter = PowerMeter(tmp_path)
    assert [meter.read(), meter.read()] == [None, None]


def add_zone(root: Path, number: int, name: str) -> Path:
    """Another zone beside the first package; returns its counter."""
    zone = root / f"sys/class/powercap/intel-rapl:{number}"
    shutil.copytree((root / ENERGY).parent, zone)
    (zone / "name").write_text(f"{name}\n", encoding="ascii")
    return zone / "energy_uj"


@pytest.mark.parametrize(("name", "watts"), [("package-1", 15.0), ("package-0-die-1", 15.0), ("psys", 10.0)])
def test_packages_add_up_and_psys_which_holds_them_does_not_count(
    tmp_path: Path, name: str, watts: float
) -> None:
    other = add_zone(unpack("x86-rapl", tmp_path), 1, name)
    link_entries(tmp_path, "sys/class/powercap")
    rapl = Rapl(tmp_path)
    rapl.read_watts(0)
    for counter, microjoules in ((tmp_path / ENERGY, 10_000_000), (other, 5_000_000)):
        counter.write_text(f"{240422366267 + microjoules}\n", encoding="ascii")
    assert rapl.read_watts(SECOND) == pytest.approx(watts)


def test_cores_are_inside_their_package(tmp_path: Path) -> None:
    rapl = Rapl(unpack("x86-rapl", tmp_path))
    rapl.read_watts(0)
    core = tmp_path / "sys/class/powercap/intel-rapl:0:0/energy_uj"
    core.write_text(f"{118821284256 + 5_000_000}\n", encoding="ascii")
    assert rapl.read_watts(SECOND) == 0.0


def test_the_meter_says_what_it_read_and_what_that_covers(tmp_path: Path) -> None:
    orin = PowerMeter(unpack("jetson-orin-nano", tmp_path / "orin"))
    assert orin.read() == Power(4.984 * 1.856, "INA3221", "whole board")
    desktop = PowerMeter(unpack("x86-rapl", tmp_path / "x86"))
    assert desktop.read() is None
    reading = desktop.read()
    assert reading is not None
    assert (reading.source, reading.quality) == ("RAPL packages", "measured rail")
    assert PowerMeter(unpack("raspberry-pi-5", tmp_path / "pi")).read() is None
