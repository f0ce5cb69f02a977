from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.sensors.energy import (
    LONGEST_GAP_S,
    EnergyMeter,
    IntegrationStep,
    PowerSample,
    integrate_power,
)
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.sensors.rapl import RaplMeter, rapl_unavailable_reason
from tests.sensors.test_power import DAMAGES, ENERGY, RANGE, SECOND, add_zone, approximately, damage_file
from tests.sensors.tree import unpack

START = 240422366267
MOST = 262143328850


def test_joules_since_the_start(tmp_path: Path) -> None:
    meter: EnergyMeter = RaplMeter(unpack("x86-rapl", tmp_path))
    assert meter.read_j() == 0.0  # 0 J is a reading, not an absence
    (tmp_path / ENERGY).write_text(f"{START + 15_000_000}\n", encoding="ascii")
    assert [meter.read_j(), meter.read_j()] == [15.0, 15.0]
    assert (meter.source, meter.quality) == ("RAPL packages", "measured rail")


def test_the_counter_wraps_and_the_joules_go_on(tmp_path: Path) -> None:
    meter = RaplMeter(unpack("x86-rapl", tmp_path))
    (tmp_path / ENERGY).write_text("1000000\n", encoding="ascii")
    before = meter.read_j()
    assert before is not None
    assert before == pytest.approx((MOST - START + 1_000_000) / 1e6)
    (tmp_path / ENERGY).write_text("3000000\n", encoding="ascii")
    assert meter.read_j() == pytest.approx(before + 2.0)


def test_packages_add_up_and_psys_does_not_count(tmp_path: Path) -> None:
    other = add_zone(unpack("x86-rapl", tmp_path), 1, "package-1")
    system = add_zone(tmp_path, 2, "psys")
    meter = RaplMeter(tmp_path)
    for counter in (tmp_path / ENERGY, other, system):
        counter.write_text(f"{START + 1_000_000}\n", encoding="ascii")
    assert meter.read_j() == pytest.approx(2.0)


@pytest.mark.parametrize("file", [ENERGY, RANGE])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_gap_is_absent_and_what_was_used_in_it_counts_afterwards(
    tmp_path: Path, damage: str, file: str
) -> None:
    meter = RaplMeter(unpack("x86-rapl", tmp_path))
    text = (tmp_path / file).read_text(encoding="ascii")
    damage_file(tmp_path / file, damage)
    assert meter.read_j() is None
    (tmp_path / file).unlink(missing_ok=True)
    (tmp_path / file).write_text(text, encoding="ascii")
    (tmp_path / ENERGY).write_text(f"{START + 4_000_000}\n", encoding="ascii")
    assert meter.read_j() == pytest.approx(4.0)


def test_why_there_is_no_reading(tmp_path: Path) -> None:
    root = unpack("x86-rapl", tmp_path)
    assert rapl_unavailable_reason(root) is None
    damage_file(root / ENERGY, "unreadable")
    assert "cannot be read" in str(rapl_unavailable_reason(root))
    (root / ENERGY).unlink()
    (root / ENERGY).write_text("n/a\n", encoding="ascii")
    assert "gives no energy" in str(rapl_unavailable_reason(root))
    assert rapl_unavailable_reason(unpack("raspberry-pi-5", tmp_path / "pi")) == "no sensor"


def test_root_alone_may_read_it_and_that_is_an_ordinary_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = unpack("x86-rapl", tmp_path)
    for reader in ("read_text", "read_bytes"):  # tests may run as root, which can read every file
        monkeypatch.setattr(Path, reader, _refusing(getattr(Path, reader)))
    assert "run as root" in str(rapl_unavailable_reason(root))
    assert RaplMeter(root).read_j() is None


def _refusing(real: Callable[..., Any]) -> Callable[..., Any]:
    def read(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    return read


def board(watts: float) -> Power:
    return Power(watts, "INA3221 VDD_IN", "module")


def at(seconds: float, power: Power | None, inferences: int = 0) -> PowerSample:
    return PowerSample(int(seconds * 1e9), power, inferences)


def test_power_is_interpolated_linearly_between_two_readings() -> None:
    found = integrate_power(at(10, board(4.0), 7), at(12, board(6.0), 12))
    assert found == IntegrationStep(2.0, 10.0, 5, "INA3221 VDD_IN", "module")


@given(st.lists(st.tuples(st.floats(0.1, 4.9), st.floats(0, 60)), min_size=2, max_size=30))
def test_energy_is_between_minimum_and_maximum_power_times_time(steps: list[tuple[float, float]]) -> None:
    now, samples = 0.0, []
    for seconds, watts in steps:
        now += seconds
        samples.append(at(now, board(watts)))
    found = [integrate_power(*pair) for pair in pairwise(samples)]
    total, lasted = sum(one.joules or 0.0 for one in found), sum(one.seconds for one in found)
    powers = [watts for _, watts in steps]
    assert min(powers) * lasted <= total + 1e-6
    assert total <= max(powers) * lasted + 1e-6


def test_energy_over_a_gap_is_unknown() -> None:
    assert integrate_power(at(0, board(4.0)), at(LONGEST_GAP_S, board(4.0))).joules == 20.0
    later = integrate_power(at(0, board(4.0)), at(LONGEST_GAP_S + 0.1, board(4.0)))
    assert (later.joules, later.source) == (None, None)


@pytest.mark.parametrize("first", [None, Power(4.0, "battery", "whole board")])
def test_the_first_reading_of_a_source_gives_no_energy(first: Power | None) -> None:
    assert integrate_power(at(0, first), at(1, board(4.0))).joules is None


def test_a_failed_reading_gives_no_energy() -> None:
    assert integrate_power(at(0, board(4.0)), at(1, None)).joules is None


def test_a_counter_is_exact_over_any_time(tmp_path: Path) -> None:
    meter = PowerMeter(unpack("x86-rapl", tmp_path))
    begin = at(100, meter.read(100 * SECOND))
    (tmp_path / ENERGY).write_text(f"{START + 15_000_000}\n", encoding="ascii")
    found = integrate_power(begin, at(700, meter.read(700 * SECOND)))
    assert found == IntegrationStep(600.0, approximately(15.0), 0, "RAPL packages", "measured rail")


def test_a_counter_of_400_digits_gives_no_reading(tmp_path: Path) -> None:
    root = unpack("x86-rapl", tmp_path)
    (root / ENERGY).write_text("9" * 400, encoding="ascii")
    assert RaplMeter(root).read_j() is None
