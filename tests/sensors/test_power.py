from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from edgeagent.sensors import ina238, ina3221
from edgeagent.sensors.declared_power import DeclaredPower, estimate_w
from edgeagent.sensors.device_state import DeviceSensors
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.sensors.rapl import Rapl
from tests.sensors.tree import ARCHIVES, link_entries, make_unreadable, unpack

SECOND = 1_000_000_000
IIO = "sys/bus/i2c/devices/6-0040/iio:device0"
HWMON = "sys/bus/i2c/devices/1-0040/hwmon/hwmon1"
ENERGY = "sys/class/powercap/intel-rapl:0/energy_uj"
RANGE = "sys/class/powercap/intel-rapl:0/max_energy_range_uj"


def approximately(number: float) -> Any:
    """Return ``pytest.approx`` as a type that fits in place of a number."""
    return pytest.approx(number)


@pytest.mark.parametrize(
    ("board", "watts"),
    [
        ("jetson-orin-nano", 4.984 * 1.856),
        ("jetson-nano", 3.774),
        ("jetson-tx2", 5.073),
        ("jetson-xavier-nx", 4.928 * 0.768),
        ("jetson-orin-nx", 5.064 * 1.128),
        ("jetson-agx-xavier", None),
        ("jetson-agx-orin", None),  # no rail is the input, and rails do not add up to it
        ("raspberry-pi-5", None),
        ("x86-rapl", None),
    ],
)
def test_input_power_of_a_module(tmp_path: Path, board: str, watts: float | None) -> None:
    found = ina3221.read_ina3221_watts(unpack(board, tmp_path))
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
    assert ina3221.read_ina3221_watts(tmp_path) is None
    reading = PowerMeter(tmp_path).read()
    assert reading is not None
    assert reading.quality == "measured rail"  # the others are left
    assert ina3221.INPUT_RAILS[0] not in reading.source


@pytest.mark.parametrize("damage", DAMAGES)
def test_another_rail_that_cannot_be_read_takes_nothing_away(tmp_path: Path, damage: str) -> None:
    damage_file(unpack("jetson-orin-nano", tmp_path) / HWMON / "in3_input", damage)
    assert ina3221.read_ina3221_watts(tmp_path) == pytest.approx(9.250304)


def test_a_board_that_draws_nothing_reads_zero(tmp_path: Path) -> None:
    (unpack("jetson-orin-nano", tmp_path) / HWMON / "curr1_input").write_text("0\n", encoding="ascii")
    assert PowerMeter(tmp_path).read() == Power(0.0, "INA3221 VDD_IN", "module")


@pytest.mark.parametrize(("board", "watts"), [("jetson-orin-nano", 9.250304), ("jetson-nano", 3.774)])
def test_devices_are_links_in_a_real_tree(tmp_path: Path, board: str, watts: float) -> None:
    link_entries(unpack(board, tmp_path), "sys/bus/i2c/devices")
    assert ina3221.read_ina3221_watts(tmp_path) == pytest.approx(watts)


def test_the_number_of_a_hwmon_changes_from_boot_to_boot(tmp_path: Path) -> None:
    folder = unpack("jetson-orin-nano", tmp_path) / HWMON
    folder.rename(folder.with_name("hwmon4"))
    assert ina3221.read_ina3221_watts(tmp_path) == pytest.approx(9.250304)


def test_rapl_is_energy_between_two_readings(tmp_path: Path) -> None:
    unpack("x86-rapl", tmp_path)
    rapl = Rapl(tmp_path)
    assert rapl.read_watts(10 * SECOND) is None
    (tmp_path / ENERGY).write_text(f"{240422366267 + 15_000_000}\n", encoding="ascii")
    assert rapl.read_watts(12 * SECOND) == pytest.approx(7.5)
    assert rapl.read_watts(13 * SECOND) == 0.0  # 0 W is a reading, not an absence


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
    """Add a zone beside the first package and return its counter file."""
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
    assert orin.read() == Power(4.984 * 1.856, "INA3221 VDD_IN", "module")
    desktop = PowerMeter(unpack("x86-rapl", tmp_path / "x86"))
    assert desktop.read() is None
    reading = desktop.read()
    assert reading is not None
    assert (reading.source, reading.quality) == ("RAPL packages", "measured rail")
    assert PowerMeter(unpack("raspberry-pi-4", tmp_path / "pi")).read() is None


def test_rails_that_do_not_add_up_to_the_input_are_measured_rails(tmp_path: Path) -> None:
    root = unpack("jetson-agx-orin", tmp_path)
    everything = 19 * 0.168 + 19 * 0.04 + 4.984 * 0.76 + 4.984 * 0.16
    assert sorted(ina3221.read_ina3221_rails(root)) == [
        "VDDQ_VDD2_1V8AO",
        "VDD_CPU_CV",
        "VDD_GPU_SOC",
        "VIN_SYS_5V0",
    ]
    source = "INA3221 VDDQ_VDD2_1V8AO + VDD_CPU_CV + VDD_GPU_SOC + VIN_SYS_5V0"
    assert PowerMeter(root).read() == Power(approximately(everything), source, "measured rail")
    make_unreadable(root / "sys/bus/i2c/devices/1-0040/hwmon/hwmon2/in3_input")
    without = Power(
        approximately(everything - 4.984 * 0.76),
        "INA3221 VDDQ_VDD2_1V8AO + VDD_CPU_CV + VDD_GPU_SOC",
        "measured rail",
    )
    assert PowerMeter(root).read() == without


def test_all_rails_of_jetpack_4(tmp_path: Path) -> None:
    rails = {"POM_5V_IN": 3.774, "POM_5V_GPU": 0.082, "POM_5V_CPU": 0.738}
    assert ina3221.read_ina3221_rails(unpack("jetson-nano", tmp_path)) == rails


def test_the_supply_line_of_a_thor_is_in_microwatts(tmp_path: Path) -> None:
    root = unpack("jetson-thor", tmp_path)
    assert ina238.read_ina238_watts(root) == pytest.approx(35.4378)
    assert PowerMeter(root).read() == Power(approximately(35.4378), "INA238 VIN", "whole board")
    damage_file(root / "sys/bus/i2c/devices/2-0044/hwmon/hwmon4/power1_input", "unreadable")
    reading = PowerMeter(root).read()
    assert reading is not None
    assert (reading.source[:15], reading.quality) == ("INA3221 VDD_CPU", "measured rail")


def test_an_ina238_elsewhere_is_not_known_to_be_the_input(tmp_path: Path) -> None:
    root = unpack("jetson-thor", tmp_path)
    (root / "proc/device-tree/model").write_text("Raspberry Pi 4 Model B\0", encoding="ascii")
    assert ina238.read_ina238_watts(root) is None


def test_a_pi_5_measures_rails_and_estimates_its_input(tmp_path: Path) -> None:
    reading = PowerMeter(unpack("raspberry-pi-5", tmp_path)).read()
    assert reading is not None
    assert (reading.source, reading.quality) == ("PMIC, 12 rails", "measured rail")
    assert reading.estimated_input_w is not None
    assert reading.estimated_input_w > reading.watts > 9


def test_a_battery_that_feeds_the_board_is_the_whole_board(tmp_path: Path) -> None:
    root = unpack("x86-rapl", tmp_path)
    supply = root / "sys/class/power_supply/BAT0"
    supply.mkdir(parents=True)
    for name, text in {"type": "Battery", "status": "Discharging", "power_now": "8400000"}.items():
        (supply / name).write_text(text + "\n", encoding="ascii")
    meter = PowerMeter(root)
    assert meter.read() == Power(8.4, "battery", "whole board")
    (supply / "status").write_text("Charging\n", encoding="ascii")
    assert [meter.read(), getattr(meter.read(), "source", None)] == [None, "RAPL packages"]
    module = unpack("jetson-orin-nano", tmp_path / "module")
    shutil.copytree(supply, module / "sys/class/power_supply/BAT0")
    (module / "sys/class/power_supply/BAT0/status").write_text("Discharging\n", encoding="ascii")
    assert PowerMeter(module).read() == Power(8.4, "battery", "whole board"), "it feeds the whole board"


def add_chip(root: Path, number: int, name: str, **files: int) -> None:
    """Add an hwmon chip."""
    folder = root / f"sys/class/hwmon/hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n", encoding="ascii")
    for file, value in files.items():
        (folder / file).write_text(f"{value}\n", encoding="ascii")


def test_of_meters_in_a_row_the_outermost_counts_for_good(tmp_path: Path) -> None:
    root = unpack("raspberry-pi-4", tmp_path)
    add_chip(root, 5, "ina219", power1_input=2_100_000)
    add_chip(root, 6, "ina226", power1_input=6_300_000)
    meter = PowerMeter(root)
    assert meter.read() == Power(6.3, "ina226", "measured rail")
    (root / "sys/class/hwmon/hwmon6/power1_input").write_text("1000000\n", encoding="ascii")
    assert meter.read() == Power(1.0, "ina226", "measured rail")


def test_declared_watts_are_the_last_resort_and_an_estimate(tmp_path: Path) -> None:
    declared = DeclaredPower(3.0, 8.0)
    assert PowerMeter(unpack("jetson-nano", tmp_path / "a"), declared).read() == Power(
        3.774, "INA3221 POM_5V_IN", "module"
    )
    meter = PowerMeter(unpack("raspberry-pi-4", tmp_path / "b"), declared)
    until = time.process_time() + 0.05  # several clock ticks, the resolution of processor times
    while time.process_time() < until:
        pass
    reading = meter.read()
    assert reading is not None
    assert (reading.quality, reading.mean) == ("estimated", True)
    assert 3.0 <= reading.watts <= 8.0


@pytest.mark.parametrize(("load", "watts"), [(0.0, 3.0), (0.5, 5.5), (1.0, 8.0), (1.2, 8.0), (-0.1, 3.0)])
def test_declared_watts_grow_with_the_load(load: float, watts: float) -> None:
    assert estimate_w(3.0, 8.0, load) == pytest.approx(watts)


@pytest.mark.parametrize("board", sorted(path.stem for path in ARCHIVES.glob("*.txt")))
def test_no_damaged_file_stops_the_reading(tmp_path: Path, board: str) -> None:
    root = unpack(board, tmp_path)
    files = sorted(path for path in (root / "sys").rglob("*") if path.is_file())
    for number, path in enumerate(files):
        damage_file(path, DAMAGES[number % len(DAMAGES)])
        PowerMeter(root).read()
        DeviceSensors(root).read()
    # without /sys the firmware of a Raspberry Pi may still reply
    assert (PowerMeter(root).read() is None) == (board != "raspberry-pi-5")
