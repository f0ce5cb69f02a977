"""Hailo temperatures, with a stand-in for ``hailo_platform`` in the queried process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgeagent.sensors import hailo
from edgeagent.sensors.hailo import DEADLINE_S, PERIOD_S, HailoThermometer
from tests.engines.test_hailo_engine import STANDIN
from tests.sensors.tree import unpack

WAIT_S = 60.0


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in for ``hailo_platform``, in this process and in the queried one."""
    monkeypatch.syspath_prepend(STANDIN)
    monkeypatch.setenv("PYTHONPATH", str(STANDIN), prepend=":")


def wait_for_answer(thermometer: HailoThermometer, now_s: float) -> dict[str, float]:
    """Read until the query has ended."""
    found = thermometer.read(now_s)
    until = time.monotonic() + WAIT_S
    while thermometer.is_querying and time.monotonic() < until:
        found = thermometer.read(now_s)
    return found


@pytest.mark.usefixtures("package")
def test_the_hotter_of_two_sensors(tmp_path: Path) -> None:
    thermometer = HailoThermometer(unpack("hailo", tmp_path))
    assert thermometer.read(0.0) == {}  # the reader does not wait
    assert wait_for_answer(thermometer, 0.0) == {"hailo_0": 52.13}
    assert thermometer.read(PERIOD_S - 1) == {"hailo_0": 52.13}
    assert not thermometer.is_querying
    thermometer.read(PERIOD_S)
    assert thermometer.is_querying
    thermometer.close()


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("failing", ["temperature", "abort"])
def test_a_chip_that_fails_has_no_temperature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setenv("STANDIN_HAILO_FAILS", failing)
    assert wait_for_answer(HailoThermometer(unpack("hailo", tmp_path)), 0.0) == {}


@pytest.mark.usefixtures("package")
def test_a_chip_that_hangs_is_left_at_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_HAILO_FAILS", "hang")
    thermometer = HailoThermometer(unpack("hailo", tmp_path))
    thermometer.read(0.0)
    assert thermometer.read(DEADLINE_S) == {}
    assert thermometer.is_querying
    assert thermometer.read(DEADLINE_S + 1) == {}
    assert not thermometer.is_querying


def test_without_a_chip_or_its_package_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hailo, "package_is_installed", lambda: True)
    elsewhere = HailoThermometer(unpack("raspberry-pi-5", tmp_path / "a"))
    monkeypatch.setattr(hailo, "package_is_installed", lambda: False)
    bare = HailoThermometer(unpack("hailo", tmp_path / "b"))
    for thermometer in (elsewhere, bare):
        assert thermometer.read(0.0) == {}
        assert not thermometer.is_querying
