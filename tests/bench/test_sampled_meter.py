"""Energy meters on the trees of boards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeagent.bench.sampled_meter import PERIOD_S, SampledMeter, find_meter
from edgeagent.sensors.rapl import RaplMeter
from tests.sensors.test_power import ENERGY, HWMON, damage_file
from tests.sensors.tree import unpack

WATTS = 9.250304


@contextmanager
def metering(root: Path) -> Iterator[SampledMeter]:
    meter, why = find_meter(root)
    assert isinstance(meter, SampledMeter)
    assert why == ""
    try:
        yield meter
    finally:
        meter.close()


def test_power_over_time_is_energy(tmp_path: Path) -> None:
    begun = time.monotonic()
    with metering(unpack("jetson-orin-nano", tmp_path)) as meter:
        first, middle = meter.read_j(), time.monotonic()
        while time.monotonic() < middle + 2 * PERIOD_S:  # the thread samples meanwhile
            pass
        last = meter.read_j()
    assert first is not None
    assert last is not None
    assert last - first >= WATTS * 2 * PERIOD_S * 0.999
    assert last <= WATTS * (time.monotonic() - begun)
    assert (meter.source, meter.quality) == ("INA3221 VDD_IN", "module")


def test_after_a_gap_all_readings_are_none(tmp_path: Path) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    with metering(root) as meter:
        assert meter.read_j() is not None
        text = (root / HWMON / "curr1_input").read_text(encoding="ascii")
        damage_file(
            root / HWMON / "curr1_input", "unreadable"
        )  # the sum of the other rails becomes the source
        assert meter.read_j() is None
        (root / HWMON / "curr1_input").unlink()
        (root / HWMON / "curr1_input").write_text(text, encoding="ascii")
        assert [meter.read_j(), meter.read_j()] == [None, None]


def test_on_x86_the_counter_itself_is_the_meter(tmp_path: Path) -> None:
    meter, _ = find_meter(unpack("x86-rapl", tmp_path))
    assert isinstance(meter, RaplMeter)


@pytest.mark.parametrize(("board", "why"), [("raspberry-pi-4", "no sensor"), ("x86-rapl", "cannot be read")])
def test_the_reason_for_a_missing_meter(tmp_path: Path, board: str, why: str) -> None:
    root = unpack(board, tmp_path)
    if board == "x86-rapl":
        damage_file(root / ENERGY, "unreadable")
    meter, reason = find_meter(root)
    assert meter is None
    assert why in reason
