"""The controller on scripts of readings, and on simulated boards that heat up and cool down."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edgeagent.daemon.rate_controller import BoardConditions, Decision, RateController
from edgeagent.settings.sections.adaptive import AdaptiveSettings

LOOK_S = 5.0
QUICK = AdaptiveSettings(
    hot_c=80.0, cool_c=75.0, hold_fall=10.0, hold_rise=20.0, longest_rise=160.0, step=0.5
)


def run(
    controller: RateController, conditions: BoardConditions, since: float, seconds: float
) -> list[tuple[float, Decision]]:
    """Look at the same conditions for a while; return the decisions with their times."""
    found = []
    for look in range(int(seconds / LOOK_S)):
        now = since + look * LOOK_S
        decision = controller.decide(now, conditions)
        if decision is not None:
            found.append((now, decision))
    return found


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        (BoardConditions(16.0, temperature_c=80.1), "temperature"),
        (BoardConditions(16.0, throttled=True), "throttled"),
        (BoardConditions(16.0, under_voltage=True), "under_voltage"),
        (BoardConditions(16.0, battery_percent=19.0), "battery"),
        (BoardConditions(16.0, watts=10.1), "power_budget"),
    ],
)
def test_each_limit_lowers_the_rate(conditions: BoardConditions, reason: str) -> None:
    controller = RateController(QUICK, budget_w=10.0)
    assert controller.decide(0.0, conditions) == Decision(None, 8.0, (reason,))  # type: ignore[arg-type]
    assert controller.limit == 8.0


@pytest.mark.parametrize(
    "conditions",
    [
        BoardConditions(16.0),  # nothing is known
        BoardConditions(16.0, 80.0, False, False, 20.0, 10.0),  # at the limits
        BoardConditions(0.5, temperature_c=95.0),  # slower than the least rate already
        BoardConditions(0.0, temperature_c=95.0),
    ],
)
def test_nothing_is_done_without_need(conditions: BoardConditions) -> None:
    assert RateController(QUICK, budget_w=10.0).decide(0.0, conditions) is None


def test_a_rate_is_never_limited_when_it_is_turned_off() -> None:
    controller = RateController(AdaptiveSettings(enabled=False), budget_w=1.0)
    assert controller.decide(0.0, BoardConditions(16.0, 99.0, True, True, 1.0, 50.0)) is None


def test_watts_without_a_budget_do_not_matter() -> None:
    assert RateController(QUICK).decide(0.0, BoardConditions(16.0, watts=500.0)) is None


def test_it_falls_step_by_step_to_the_least_rate() -> None:
    controller = RateController(QUICK)
    falls = run(controller, BoardConditions(16.0, throttled=True), 0.0, 300.0)
    assert [(now, decision.to_fps) for now, decision in falls] == [
        (0.0, 8.0),
        (10.0, 4.0),
        (20.0, 2.0),
        (30.0, 1.0),
    ]


def test_between_the_limits_it_stays_and_below_them_it_rises_to_no_limit() -> None:
    controller = RateController(QUICK)
    run(controller, BoardConditions(16.0, temperature_c=85.0), 0.0, 15.0)
    assert controller.limit == 4.0
    assert run(controller, BoardConditions(4.0, temperature_c=77.0), 100.0, 600.0) == []
    rises = run(controller, BoardConditions(4.0, temperature_c=74.0), 1000.0, 100.0)
    assert [(decision.from_fps, decision.to_fps, decision.reasons) for _, decision in rises] == [
        (4.0, 8.0, ()),
        (8.0, None, ()),
    ]


def test_a_board_that_cools_is_left_alone() -> None:
    controller = RateController(QUICK)
    controller.decide(0.0, BoardConditions(16.0, temperature_c=90.0))
    heat = 90.0
    for look in range(1, 12):
        heat -= 0.8
        assert controller.decide(look * LOOK_S, BoardConditions(8.0, temperature_c=heat)) is None
    assert controller.decide(70.0, BoardConditions(8.0, temperature_c=heat)) is not None  # no longer


def test_a_low_battery_halves_the_rate_and_no_more() -> None:
    controller = RateController(AdaptiveSettings())
    falls = run(controller, BoardConditions(16.0, battery_percent=5.0), 0.0, 3600.0)
    assert falls[-1][1].to_fps == 8.0
    assert run(controller, BoardConditions(8.0, battery_percent=24.0), 4000.0, 3600.0) == []
    rises = run(controller, BoardConditions(8.0, battery_percent=25.0), 8000.0, 3600.0)
    assert rises[-1][1].to_fps is None


def test_a_rate_that_was_too_much_is_tried_less_and_less_often() -> None:
    controller = RateController(QUICK)
    tries = []
    for look in range(2000):
        now = look * LOOK_S
        hot = controller.limit is None or controller.limit > 8.0
        decision = controller.decide(now, BoardConditions(16.0, temperature_c=85.0 if hot else 60.0))
        if decision is not None and decision.reasons == ():
            tries.append(now)
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses[:3] == sorted(pauses[:3])
    assert pauses[-1] >= QUICK.longest_rise
    assert len(tries) < 2000 * LOOK_S / QUICK.longest_rise + 5


def test_after_a_long_time_without_trouble_it_is_forgotten() -> None:
    controller = RateController(QUICK)
    for start in (0.0, 1000.0):
        assert controller.decide(start, BoardConditions(16.0, throttled=True)) is not None
        (rise,) = run(controller, BoardConditions(16.0), start + 5, 600.0)
        assert rise[0] - start == QUICK.hold_rise


@dataclass
class Board:
    """Heats by ``rise_c`` at its full rate, with a time constant, and reads in steps."""

    ambient_c: float
    rise_c: float
    constant_s: float
    full_fps: float
    step_c: float
    heat_c: float = 25.0

    def pass_time(self, seconds: float, fps: float) -> None:
        aim = self.ambient_c + self.rise_c * fps / self.full_fps
        self.heat_c += (aim - self.heat_c) * min(1.0, seconds / self.constant_s)

    @property
    def reading_c(self) -> float:
        return round(self.heat_c / self.step_c) * self.step_c


@settings(deadline=None, max_examples=40)
@given(
    ambient=st.floats(-20, 74),
    rise=st.floats(1, 90),
    constant=st.floats(10, 900),
    full=st.floats(2, 60),
    step=st.sampled_from([0.001, 0.25, 0.5, 1.0]),
)
def test_no_board_swings(ambient: float, rise: float, constant: float, full: float, step: float) -> None:
    """In eight hours it settles: few changes afterwards, not hot, and no slower than it must be."""
    limits = AdaptiveSettings(hot_c=80.0, cool_c=75.0)
    controller, board = RateController(limits), Board(ambient, rise, constant, full, step)
    late, hot_s, rates = 0, 0.0, []
    for look in range(int(8 * 3600 / LOOK_S)):
        fps = min(full, controller.limit or full)
        board.pass_time(LOOK_S, fps)
        decision = controller.decide(look * LOOK_S, BoardConditions(fps, board.reading_c))
        if look * LOOK_S >= 4 * 3600:
            late += decision is not None
            hot_s += LOOK_S if board.reading_c > limits.hot_c else 0.0
            rates.append(fps)
    assert late <= 24  # 8 tries in 4 hours, each up and down again, and sometimes a step more
    if ambient + rise * limits.least_fps / full < limits.hot_c - step:  # else it is hot at any rate
        assert hot_s <= 4 * 3600 * 0.05
    bearable = max(0.0, min(full, full * (limits.cool_c - ambient) / rise))
    assert max(rates) >= min(full, max(limits.least_fps, bearable * limits.step)) * 0.99


@settings(deadline=None, max_examples=20)
@given(rise=st.floats(8, 60), constant=st.floats(10, 600))
def test_when_it_gets_cool_the_full_rate_comes_back(rise: float, constant: float) -> None:
    controller, board = (
        RateController(AdaptiveSettings(hot_c=80.0, cool_c=75.0)),
        Board(73.0, rise, constant, 30.0, 0.5),
    )
    limited = False
    for look in range(int(24 * 3600 / LOOK_S)):
        board.ambient_c = 73.0 if look * LOOK_S < 4 * 3600 else 10.0
        fps = min(30.0, controller.limit or 30.0)
        board.pass_time(LOOK_S, fps)
        controller.decide(look * LOOK_S, BoardConditions(fps, board.reading_c))
        limited = limited or controller.limit is not None
    assert limited
    assert controller.limit is None


@given(
    st.lists(
        st.builds(
            BoardConditions,
            fps=st.floats(0, 60),
            temperature_c=st.none() | st.floats(-40, 120),
            throttled=st.none() | st.booleans(),
            under_voltage=st.none() | st.booleans(),
            battery_percent=st.none() | st.floats(0, 100),
            watts=st.none() | st.floats(0, 100),
        ),
        max_size=80,
    )
)
def test_whatever_is_read_the_limit_is_sane_and_decisions_join(readings: list[BoardConditions]) -> None:
    controller = RateController(QUICK, budget_w=20.0)
    last: float | None = None
    for look, conditions in enumerate(readings):
        decision = controller.decide(look * LOOK_S, conditions)
        if decision is not None:
            assert decision.from_fps == last
            assert decision.to_fps != last
            last = decision.to_fps
        assert controller.limit == last
        assert last is None or last >= QUICK.least_fps


@pytest.mark.parametrize(
    "values",
    [
        {"hot_c": 70.0, "cool_c": 70.0},
        {"low_percent": 30.0, "enough_percent": 30.0},
        {"hold_rise": 3600.0},
        {"step": 1.0},
        {"least_fps": 0.0},
    ],
)
def test_limits_without_room_between_them_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        AdaptiveSettings(**values)  # type: ignore[arg-type]
