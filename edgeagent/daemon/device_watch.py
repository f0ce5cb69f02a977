"""Watch of the board's sensors in a thread of its own: power every second, other readings every few seconds.

Readings are used in three ways: for telemetry (:meth:`DeviceWatch.take`), for the controller of the frame
rate, and for alarms, when the board throttles or its supply is too weak.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.daemon.rate_controller import BoardConditions, Decision, RateController
from edgeagent.sensors.battery import read_supply
from edgeagent.sensors.declared_power import DeclaredPower
from edgeagent.sensors.device_state import DeviceSensors, DeviceState
from edgeagent.sensors.energy import PowerSample, integrate_power
from edgeagent.sensors.inference_energy import EnergyAccount, IntervalEnergy
from edgeagent.sensors.over_current import OverCurrent
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.settings.sections.adaptive import AdaptiveSettings
from edgeagent.settings.sections.power import PowerSettings
from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

SAMPLE_EVERY_S = 1.0
CHECK_EVERY_S = 5.0

BoardProblem = Literal["throttled", "under_voltage"]


@dataclass(frozen=True)
class DeviceInterval:
    """Readings of one interval.

    Attributes:
        state: last readings of all sensors but power.
        power: last power reading; None without a readable sensor.
        energy: energy of the interval; None where it is unknown.
        over_current: number of events in the interval, by kind; empty where no sensor counts them.
        limit_fps: present limit of the frame rate; None without one.
    """

    state: DeviceState
    power: Power | None
    energy: IntervalEnergy | None
    over_current: dict[str, int]
    limit_fps: float | None


@dataclass(frozen=True)
class WatchCallbacks:
    """Receivers of decisions and problems, called in the thread of the watch; the defaults do nothing.

    Attributes:
        on_decision: called with each change of the frame rate limit.
        on_problem: called with a description when a problem begins, and with None when it is over.
    """

    on_decision: Callable[[Decision], None] = lambda decision: None
    on_problem: Callable[[BoardProblem, str | None], None] = lambda code, text: None


class DeviceWatch(AgentPart):
    """Watch of the board's sensors.

    Args:
        power: declared power and power budget.
        adaptive: limits of the controller.
        inferences: returns the number of inferences since the start.
        callbacks: receivers of decisions and problems.
        root: folder that contains /sys, /proc, /dev and /usr.
    """

    def __init__(
        self,
        power: PowerSettings,
        adaptive: AdaptiveSettings,
        inferences: Callable[[], int],
        callbacks: WatchCallbacks | None = None,
        root: Path = Path("/"),
    ) -> None:
        declared = None
        if power.idle_w is not None and power.full_w is not None:
            declared = DeclaredPower(power.idle_w, power.full_w)
        self._inferences, self._root = inferences, root
        self._callbacks = callbacks or WatchCallbacks()
        self._meter = PowerMeter(root, declared)
        self._over_current = OverCurrent(root)
        self._controller = RateController(adaptive, power.budget_w)
        self._lock, self._deciding = threading.Lock(), threading.Lock()
        self._account = EnergyAccount(power.idle_w)
        self._watts: list[float] = []
        self._problems: set[BoardProblem] = set()
        self._checked = self._sampled = self._read_power()
        self._sensors = DeviceSensors(root)
        self._state = self._sensors.read()
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "device-watch")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop the thread; one that waits longer for a sensor is abandoned."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._sensors.close()

    def follow(self, power: PowerSettings, adaptive: AdaptiveSettings) -> None:
        """Take another power budget and other limits; the controller begins without a limit of the rate."""
        with self._deciding:
            self._controller = RateController(adaptive, power.budget_w)

    def take(self) -> DeviceInterval:
        """Return the readings since the last call."""
        with self._lock:
            return DeviceInterval(
                self._state,
                self._sampled.power,
                self._account.take(),
                self._over_current.read(),
                self._controller.limit,
            )

    def sample(self) -> None:
        """Read the power sensor once."""
        now = self._read_power()
        with self._lock:
            self._account.add(integrate_power(self._sampled, now))
            self._sampled = now
        if now.power is not None:
            estimate = now.power.estimated_input_w
            self._watts.append(now.power.watts if estimate is None else estimate)

    def check(self) -> None:
        """Read the other sensors once, control the frame rate, and report problems."""
        state = self._sensors.read()
        with self._lock:
            self._state = state
        last, self._checked = self._checked, self._sampled
        supply = read_supply(self._root)
        seconds = (self._checked.now_ns - last.now_ns) / 1e9
        watts, self._watts = self._watts, []
        if seconds > 0:
            self._control(
                BoardConditions(
                    fps=(self._checked.inferences - last.inferences) / seconds,
                    temperature_c=state.hottest_c,
                    throttled=state.throttled,
                    under_voltage=state.under_voltage,
                    battery_percent=supply.battery_percent if supply.on_mains is False else None,
                    watts=sum(watts) / len(watts) if watts else None,
                )
            )
        self._report("throttled", bool(state.throttled), "the board is hot and has lowered its clock")
        self._report("under_voltage", bool(state.under_voltage), "the supply is too weak")

    def _read_power(self) -> PowerSample:
        now_ns = time.monotonic_ns()
        return PowerSample(now_ns, self._meter.read(now_ns), self._inferences())

    def _control(self, conditions: BoardConditions) -> None:
        with self._deciding:
            decision = self._controller.decide(time.monotonic(), conditions)
            if decision is not None:
                logger.info("frame rate: %s", decision.describe())
                self._callbacks.on_decision(decision)

    def _report(self, code: BoardProblem, present: bool, text: str) -> None:
        if present and code not in self._problems:
            self._problems.add(code)
            self._callbacks.on_problem(code, text)
        elif not present and code in self._problems:
            self._problems.remove(code)
            self._callbacks.on_problem(code, None)

    def _run(self) -> None:
        check_due = time.monotonic() + CHECK_EVERY_S
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self.sample()
            if time.monotonic() >= check_due:
                check_due = time.monotonic() + CHECK_EVERY_S
                self.check()
            due = max(due + SAMPLE_EVERY_S, time.monotonic())
