"""Control of the frame rate by temperature, supply and power: arithmetic without threads, clocks or sensors.

::

    a reading exceeds its limit       -> the rate falls by a step, again after hold_fall
    all readings are below the limits -> the rate rises by a step, again after hold_rise
    otherwise                         -> the rate stays

Against oscillation, the rate does not fall further while the board cools, and a rate that was too high is
tried again only after a pause, which doubles with each failed attempt. An absent reading neither lowers the
rate nor keeps it low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeagent.settings.sections.adaptive import AdaptiveSettings

Reason = Literal["temperature", "throttled", "under_voltage", "battery", "power_budget"]

COOLING_C = 1.0
"""Cooling within hold_fall, in kelvin, that delays a further fall."""

BUDGET_MARGIN = 0.9
"""Share of the power budget below which the rate may rise."""

BATTERY_SHARE = 0.5
"""Share of the full rate to which a low battery lowers it; a lower rate does not charge the battery."""

ROUNDING = 0.999


@dataclass(frozen=True, slots=True)
class BoardConditions:
    """Inputs of the controller; an unknown one is None.

    Attributes:
        fps: processed frames per second at present, over all cameras.
        temperature_c: temperature of the hottest zone, in °C.
        throttled: whether the firmware or a chip has lowered its clock.
        under_voltage: whether the supply is too weak.
        battery_percent: charge of the battery, while the board runs on it.
        watts: power of the board.
    """

    fps: float
    temperature_c: float | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None
    battery_percent: float | None = None
    watts: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Change of the frame rate limit; None is no limit.

    Attributes:
        from_fps, to_fps: frames per second over all cameras.
        reasons: exceeded limits; empty when the rate rises.
    """

    from_fps: float | None
    to_fps: float | None
    reasons: tuple[Reason, ...]

    def describe(self) -> str:
        """Return new limit and reasons as text."""
        names = ", ".join(reason.replace("_", " ") for reason in self.reasons)
        limit = "no limit" if self.to_fps is None else f"at most {self.to_fps:.1f} frames/s"
        return f"{limit} ({names or 'recovered'})"

    def data(self) -> dict[str, str | float]:
        """Return the data of an event; a limit that is None is absent."""
        data: dict[str, str | float] = {"reasons": ", ".join(self.reasons)}
        if self.from_fps is not None:
            data["from_fps"] = round(self.from_fps, 2)
        if self.to_fps is not None:
            data["to_fps"] = round(self.to_fps, 2)
        return data


class RateController:
    """Controller of the frame rate limit.

    Args:
        settings: limits and times.
        budget_w: power budget of the board in W; None without one.

    Attributes:
        limit: frames per second over all cameras; None without a limit.
    """

    def __init__(self, settings: AdaptiveSettings, budget_w: float | None = None) -> None:
        self._settings, self._budget_w = settings, budget_w
        self.limit: float | None = None
        self._full_fps = 0.0
        self._too_high = float("inf")
        self._changed_s: float | None = None
        self._rose = False
        self._wait_s = settings.hold_rise
        self._heat_c: float | None = None

    def decide(self, now_s: float, conditions: BoardConditions) -> Decision | None:
        """Return the change of the limit, if there is one; to be called every few seconds.

        Args:
            now_s: monotonic time in seconds.
            conditions: present inputs.
        """
        if not self._settings.enabled:
            return None
        self._watch_cooling(now_s, conditions.temperature_c)
        exceeded = self._exceeded(conditions)
        if exceeded:
            return self._fall(now_s, conditions, exceeded)
        if self.limit is None:
            if self._since_change(now_s) >= self._settings.longest_rise:
                self._rose, self._wait_s = (
                    False,
                    self._settings.hold_rise,
                )  # no rate counts as too high any more
            return None
        return self._rise(now_s) if self._below_all_limits(conditions) else None

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

    def _below_all_limits(self, now: BoardConditions) -> bool:
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
            self._too_high = before  # else the rate was too short-lived to judge
        self._rose, self._heat_c = False, now.temperature_c
        return self._change(now_s, after, reasons)

    def _rise(self, now_s: float) -> Decision | None:
        if self.limit is None:
            return None
        raised = self.limit / self._settings.step
        after = None if raised >= self._full_fps * ROUNDING else raised
        was_too_high = min(raised, self._full_fps) >= self._too_high * ROUNDING
        if self._since_change(now_s) < (self._wait_s if was_too_high else self._settings.hold_rise):
            return None
        self._rose = True
        return self._change(now_s, after, ())

    def _change(self, now_s: float, after: float | None, reasons: tuple[Reason, ...]) -> Decision:
        decision = Decision(self.limit, after, reasons)
        self.limit, self._changed_s = after, now_s
        return decision

    def _watch_cooling(self, now_s: float, heat_c: float | None) -> None:
        """Restart hold_fall each time the board has cooled by a kelvin after a fall."""
        if heat_c is None or self._heat_c is None or self._rose:
            return
        if heat_c <= self._heat_c - COOLING_C:
            self._heat_c, self._changed_s = heat_c, now_s

    def _since_change(self, now_s: float) -> float:
        return float("inf") if self._changed_s is None else now_s - self._changed_s
