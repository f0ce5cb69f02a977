from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.throttling import Throttling, read_throttling
from tests.sensors.test_power import DAMAGES, damage_file
from tests.sensors.test_rpi_pmic import replace_program
from tests.sensors.tree import unpack

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
WEAK = Throttling(("under_voltage", "throttled"), ("under_voltage", "throttled"))


def test_a_weak_supply(tmp_path: Path) -> None:
    assert read_throttling(unpack("raspberry-pi-4", tmp_path)) == WEAK


def test_without_the_file_vcgencmd_is_used(tmp_path: Path) -> None:
    assert read_throttling(unpack("raspberry-pi-5", tmp_path)) == Throttling((), ())
    replace_program(tmp_path, "echo throttled=0x50005")
    assert read_throttling(tmp_path) == WEAK


@pytest.mark.parametrize(
    ("bits", "now", "since_boot"),
    [
        ("0", (), ()),
        ("80000", (), ("soft_temperature_limit",)),
        ("e0008", ("soft_temperature_limit",), ("frequency_capped", "throttled", "soft_temperature_limit")),
        ("20002", ("frequency_capped",), ("frequency_capped",)),
    ],
)
def test_bits_have_names(
    tmp_path: Path, bits: str, now: tuple[str, ...], since_boot: tuple[str, ...]
) -> None:
    (unpack("raspberry-pi-4", tmp_path) / FIRMWARE).write_text(bits + "\n", encoding="ascii")
    found = read_throttling(tmp_path)
    assert found is not None
    assert (found.now, found.since_boot) == (now, since_boot)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_voltage_alarm_is_the_last_source(tmp_path: Path, damage: str) -> None:
    root = unpack("raspberry-pi-4", tmp_path)
    damage_file(root / FIRMWARE, damage)
    replace_program(root, "echo throttled=garbage")
    assert read_throttling(root) == Throttling(("under_voltage",), None)
    damage_file(root / "sys/class/hwmon/hwmon1/in0_lcrit_alarm", damage)
    assert read_throttling(root) is None


def test_other_boards_report_no_flags(tmp_path: Path) -> None:
    assert read_throttling(unpack("jetson-orin-nano", tmp_path)) is None
