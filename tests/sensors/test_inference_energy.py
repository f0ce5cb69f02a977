from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.sensors.energy import IntegrationStep, Quality
from edgeagent.sensors.inference_energy import EnergyAccount, InferenceEnergy, IntervalEnergy

BOARD = "INA238 VIN"


def step(
    seconds: float,
    watts: float | None,
    inferences: int = 0,
    source: str = BOARD,
    quality: Quality = "whole board",
) -> IntegrationStep:
    if watts is None:
        return IntegrationStep(seconds, None, inferences, None, None)
    return IntegrationStep(seconds, watts * seconds, inferences, source, quality)


def test_both_parts_of_the_energy_of_an_inference() -> None:
    account = EnergyAccount()
    for _ in range(5):
        account.add(step(1.0, 3.0))
    quiet = account.take()
    assert quiet == IntervalEnergy(15.0, 5.0, 0.0, BOARD, "whole board", None)
    for _ in range(10):
        account.add(step(1.0, 8.0, inferences=25))
    found = account.take()
    assert found is not None
    assert found.per_inference == InferenceEnergy(0.2, 80.0, 30.0, 250, "measured")


def test_without_a_quiet_time_there_is_no_baseline() -> None:
    account = EnergyAccount()
    account.add(step(2.0, 3.0))  # contains the end of the last inference
    account.add(step(2.0, 3.0))
    account.add(step(10.0, 8.0, inferences=250))
    found = account.take()
    assert found is not None
    assert (found.joules, found.per_inference) == (92.0, None)


def test_the_first_quiet_moment_may_hold_the_end_of_an_inference() -> None:
    account = EnergyAccount()
    account.add(step(1.0, 8.0, inferences=1))
    account.add(step(3.0, 7.0))
    account.add(step(3.0, 3.0))
    account.add(step(1.0, 8.0, inferences=10))
    found = account.take()
    assert found is not None
    assert found.per_inference is not None
    assert found.per_inference.idle_j == pytest.approx(3.0 * 8)


def test_the_baseline_follows_the_board() -> None:
    account = EnergyAccount()
    for watts in (2.0,) * 100 + (4.0,) * 600:
        account.add(step(1.0, watts))
    account.take()
    account.add(step(1.0, 8.0, inferences=10))
    found = account.take()
    assert found is not None
    assert found.per_inference is not None
    assert found.per_inference.idle_j == pytest.approx(4.0, abs=0.01)


def test_a_declared_baseline() -> None:
    account = EnergyAccount(idle_w=2.5)
    account.add(step(4.0, 5.0, inferences=100))
    found = account.take()
    assert found is not None
    assert found.per_inference == InferenceEnergy(0.1, 20.0, 10.0, 100, "declared")


@pytest.mark.parametrize(
    ("source", "quality"), [("RAPL packages", "measured rail"), ("INA3221 VDD_IN", "module")]
)
def test_a_declared_baseline_of_the_board_is_not_one_of_a_part(source: str, quality: Quality) -> None:
    account = EnergyAccount(idle_w=2.5)
    account.add(step(4.0, 5.0, 100, source, quality))
    found = account.take()
    assert found is not None
    assert found.per_inference is None


def test_time_without_a_known_energy_is_reported() -> None:
    account = EnergyAccount()
    account.add(step(2.0, 5.0, inferences=5))
    account.add(step(7.0, None, inferences=5))
    found = account.take()
    assert found == IntervalEnergy(10.0, 2.0, 7.0, BOARD, "whole board", None)
    account.add(step(7.0, None))
    assert account.take() is None


def test_energies_of_two_sources_are_not_added() -> None:
    account = EnergyAccount()
    account.add(step(3.0, 5.0, source="battery"))
    account.add(step(2.0, 4.0, source="RAPL packages", quality="measured rail"))
    assert account.take() == IntervalEnergy(8.0, 2.0, 3.0, "RAPL packages", "measured rail", None)


def test_each_source_has_its_own_baseline() -> None:
    account = EnergyAccount()
    for _ in range(5):
        account.add(step(1.0, 6.0, source="battery"))
    account.add(step(1.0, 4.0, 10, "RAPL packages", "measured rail"))
    found = account.take()
    assert found is not None
    assert found.per_inference is None


@given(
    st.lists(
        st.tuples(st.floats(0.01, 10), st.one_of(st.none(), st.floats(0, 50)), st.integers(0, 30)), min_size=1
    )
)
def test_all_time_is_accounted_for_and_the_parts_fit(steps: list[tuple[float, float | None, int]]) -> None:
    account = EnergyAccount(idle_w=1.0)
    for seconds, watts, inferences in steps:
        account.add(step(seconds, watts, inferences))
    found = account.take()
    if found is None:
        assert all(watts is None for _, watts, _ in steps)
        return
    assert found.covered_s + found.uncovered_s == pytest.approx(sum(step[0] for step in steps))
    if found.per_inference is not None:
        parts = found.per_inference
        assert parts.value_j * parts.inferences == pytest.approx(parts.used_j - parts.idle_j, abs=1e-6)
