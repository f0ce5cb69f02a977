"""Which frame rate a board can bear: arithmetic on readings, without threads, clocks or sensors.

::

    a limit is exceeded       -> the rate falls by a step, again after hold_fall
    all are well below theirs -> it rises by a step, again after hold_rise
    in between                -> it stays

So that it does not swing: while the board cools the rate does not fall further; and a rate that was too
much once is tried again only after a pause, which doubles with each try that had to be taken back. A reading
that is absent neither lowers the rate nor keeps it low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeagent.settings.sections.adaptive import AdaptiveSettings

Reason = Literal["temperature", "throttled", "under_voltage", "battery", "power_budget"]

COOLING_C = 1.0
"""Degrees that the board must have cooled within hold_fall to be left alone."""

BUDGET_MARGIN = 0.9
"""Share of the power budget below which the rate may rise."""

BATTERY_SHARE = 0.5
"""Share of the full rate that a low battery lowers it to: less light in the picture does not charge it."""

ROUNDING = 0.999


@dataclass(frozen=True, slots=True)
class BoardConditions:
    """What the controller looks at; None where it is not known.

    Attributes:
        fps: frames processed per second now, over all cameras.
        temperature_c: of the hottest zone.
        throttled: the firmware or a chip has lowered its clock.
        under_voltage: the supply is too weak.
        battery_percent: charge of the battery, while the board runs on it.
        watts: of the board.
    """

    fps: float
    temperature_c: float | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None
    battery_percent: float | None = None
    watts: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of the limit; None is no limit.

    Attributes:
        from_fps, to_fps: frames per second over all cameras.
        reasons: which limits were exceeded; none when the rate rises.
    """

    from_fps: float | None
    to_fps: float | None
    reasons: tuple[Reason, ...]


class RateController:
    """Decides on the limit of the frame rate.

    Args:
        settings: limits and times.
        budget_w: power budget of the board; None has none.

    Attributes:
        limit: frames per second over all cameras; None without a limit.
    """

    def __init__(self, settings: AdaptiveSettings, budget_w: float | None = None) -> None:
        self._settings, self._budget_w = settings, budget_w
        self.limit: float | None = None
        self._full_fps = 0.0
        self._too_much = float("inf")
        self._changed_s: float | None = None
        self._rose = False
        self._wait_s = settings.hold_rise
        self._heat_c: float | None = None

    def decide(self, now_s: float, conditions: BoardConditions) -> Decision | None:
        """Return the change of the limit, if there is one; call it every few seconds.

        Args:
            now_s: monotonic time.
            conditions: as they are now.
        """
        if not self._settings.enabled:
            return None
        self._watch_cooling(now_s, conditions.temperature_c)
        exceeded = self._exceeded(conditions)
        if exceeded:
            return self._fall(now_s, conditions, exceeded)
        if self.limit is None:
            if self._since_change(now_s) >= self._settings.longest_rise:
                self._rose, self._wait_s = False, self._settings.hold_rise  # all is forgotten
            return None
        return self._rise(now_s) if self._all_well(conditions) else None

    def _exceeded(self, now: BoardConditions) -> tuple[Reason, ...]:
        limits = self._settings
        found: list[Reason] = []
        if now.temperature_c is not None and now.temperature_c > limits.hot_c:
            found.append("temperature")
        if now.throttled:
            found.append("throttled")
        if now.under_voltage:
            found.append("under_voltage")
        if now.battery_percent is not None and now.battery_percent < limits.low_percent:
            at_half = self.limit is not None and self.limit <= self._full_fps * BATTERY_SHARE
            if not at_half:
                found.append("battery")
        if self._budget_w is not None and now.watts is not None and now.watts > self._budget_w:
            found.append("power_budget")
        return tuple(found)

    def _all_well(self, now: BoardConditions) -> bool:
        limits = self._settings
        heat, charge, watts = now.temperature_c, now.battery_percent, now.watts
        return (
            (heat is None or heat < limits.cool_c)
            and not now.throttled
            and not now.under_voltage
            and (charge is None or charge >= limits.enough_percent)
            and (self._budget_w is None or watts is None or watts < self._budget_w * BUDGET_MARGIN)
        )

    def _fall(self, now_s: float, now: BoardConditions, reasons: tuple[Reason, ...]) -> Decision | None:
        before = now.fps if self.limit is None else self.limit
        if self._changed_s is not None and self._since_change(now_s) < self._settings.hold_fall:
            return None
        after = max(before * self._settings.step, self._settings.least_fps)
        if "battery" in reasons and len(reasons) == 1:
            after = max(after, (self._full_fps if self.limit is not None else now.fps) * BATTERY_SHARE)
        if after >= before:
            return None
        if self.limit is None:
            self._full_fps = now.fps
        if self._rose:
            self._wait_s = min(self._wait_s * 2, self._settings.longest_rise)
        if self._rose or self.limit is None or self._since_change(now_s) > self._settings.hold_rise:
            self._too_much = before  # else the board had no time to show whether it bears this rate
        self._rose, self._heat_c = False, now.temperature_c
        return self._change(now_s, after, reasons)

    def _rise(self, now_s: float) -> Decision | None:
        if self.limit is None:
            return None
        raised = self.limit / self._settings.step
        after = None if raised >= self._full_fps * ROUNDING else raised
        was_too_much = min(raised, self._full_fps) >= self._too_much * ROUNDING
        if self._since_change(now_s) < (self._wait_s if was_too_much else self._settings.hold_rise):
            return None
        self._rose = True
        return self._change(now_s, after, ())

    def _change(self, now_s: float, after: float | None, reasons: tuple[Reason, ...]) -> Decision:
        decision = Decision(self.limit, after, reasons)
        self.limit, self._changed_s = after, now_s
        return decision

    def _watch_cooling(self, now_s: float, heat_c: float | None) -> None:
        """Begin hold_fall anew each time the board has cooled by a degree after a fall."""
        if heat_c is None or self._heat_c is None or self._rose:
            return
        if heat_c <= self._heat_c - COOLING_C:
            self._heat_c, self._changed_s = heat_c, now_s

    def _since_change(self, now_s: float) -> float:
        return float("inf") if self._changed_s is None else now_s - self._changed_s
