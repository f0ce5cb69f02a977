from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgeagent.sensors.device_state import DeviceSensors, DeviceState
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.sensors.throttling import Throttling
from tests.sensors.tree import unpack


def state(board: str, folder: Path) -> DeviceState:
    return DeviceSensors(unpack(board, folder)).read()


def test_a_board_without_sensors(tmp_path: Path) -> None:
    found = DeviceSensors(tmp_path).read()
    assert found == DeviceState({}, None, {}, None, None, {}, {})
    assert (found.hottest_c, found.throttled, found.under_voltage) == (None, None, None)


@pytest.mark.parametrize(
    ("board", "hottest", "throttled", "under_voltage"),
    [
        ("jetson-nano", 41.5, None, None),  # not the constant 100 degrees of PMIC-Die
        ("jetson-orin-nano", 63.781, None, None),
        ("raspberry-pi-4", 61.342, True, True),
        ("raspberry-pi-5", 48.9, False, False),
        ("coral-pcie", None, False, None),
    ],
)
def test_hottest_zone_and_throttling_of_a_board(
    tmp_path: Path, board: str, hottest: float | None, throttled: bool | None, under_voltage: bool | None
) -> None:
    found = state(board, tmp_path)
    assert (found.hottest_c, found.throttled, found.under_voltage) == (hottest, throttled, under_voltage)


def test_a_hot_coral_throttles_whatever_the_board_says(tmp_path: Path) -> None:
    root = unpack("coral-pcie", unpack("raspberry-pi-5", tmp_path))
    assert DeviceSensors(root).read().throttled is False
    (root / "sys/class/apex/apex_0/temp").write_text("85050\n", encoding="ascii")
    found = DeviceSensors(root).read()
    assert (found.throttled, found.throttling) == (True, Throttling((), ()))


def test_this_machine_can_be_read() -> None:
    found = DeviceSensors().read()
    assert all(0 < clock < 10_000 for clock in found.clocks_mhz.values())


def test_files_that_appear_and_vanish_during_a_read(tmp_path: Path) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    names = ("sys/class/thermal", "sys/class/hwmon", "sys/bus/i2c/devices/1-0040", "sys/class/devfreq")
    stopping = threading.Event()

    def come_and_go() -> None:
        while not stopping.is_set():
            for name in names:
                (root / name).rename(root / "away")
                (root / "away").rename(root / name)

    mover = threading.Thread(target=come_and_go)
    mover.start()
    try:
        for _ in range(100):
            DeviceSensors(root).read()
            PowerMeter(root).read()
    finally:
        stopping.set()
        mover.join()
    assert PowerMeter(root).read() == Power(4.984 * 1.856, "INA3221 VDD_IN", "module")
