from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.bench.machine import read_thermal_state
from edgeagent.bench.results import ThermalState
from tests.sensors.test_throttling import FIRMWARE
from tests.sensors.tree import make_unreadable, unpack


def write(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="ascii")
    return file


def clock(root: Path, policy: int, allowed: int, possible: int) -> None:
    folder = f"sys/devices/system/cpu/cpufreq/policy{policy}"
    write(root, f"{folder}/scaling_max_freq", str(allowed))
    write(root, f"{folder}/cpuinfo_max_freq", str(possible))


def test_unreported_values_are_absent(tmp_path: Path) -> None:
    found = read_thermal_state(unpack("hailo", tmp_path))
    assert found == ThermalState(temperatures_c={"cpu-thermal": 48.9}, throttled=None)
    assert read_thermal_state(tmp_path / "nothing") == ThermalState(temperatures_c={}, throttled=None)


def test_a_zone_that_is_off_is_absent(tmp_path: Path) -> None:
    assert "cv0-thermal" not in read_thermal_state(unpack("jetson-orin-nano", tmp_path)).temperatures_c


@pytest.mark.parametrize(("allowed", "throttled"), [(2_400_000, False), (1_500_000, True)])
def test_a_clock_below_its_limit(tmp_path: Path, allowed: int, throttled: bool) -> None:
    clock(tmp_path, 0, 2_400_000, 2_400_000)
    clock(tmp_path, 4, allowed, 2_400_000)
    assert read_thermal_state(tmp_path).throttled is throttled


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("0", ()),
        ("50000", ()),  # since boot, not now
        ("50005", ("under voltage", "throttled")),
        ("a", ("frequency capped", "soft temperature limit")),
    ],
)
def test_the_firmware_of_a_raspberry_pi(tmp_path: Path, text: str, signs: tuple[str, ...]) -> None:
    write(unpack("raspberry-pi-5", tmp_path), FIRMWARE, text)
    found = read_thermal_state(tmp_path)
    assert (found.throttled, found.signs) == (bool(signs), signs)


def test_flags_that_cannot_be_read_are_absent(tmp_path: Path) -> None:
    make_unreadable(write(tmp_path, FIRMWARE, "0"))
    assert read_thermal_state(tmp_path).throttled is None


def test_this_machine_can_be_read() -> None:
    assert read_thermal_state().throttled in (True, False, None)
