"""Watching the board while it detects: power every second, the rest every few, in a thread of its own.

What it sees goes three ways: into telemetry (:meth:`DeviceWatch.take`), to the controller of the frame rate,
whose decisions are told, and to the alarm, when the board throttles or its supply is too weak.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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

logger = logging.getLogger(__name__)

SAMPLE_S = 1.0
LOOK_S = 5.0
STOP_S = 1.0

Trouble = Literal["throttled", "under_voltage"]


@dataclass(frozen=True)
class DeviceInterval:
    """What was seen since the last time.

    Attributes:
        state: the last readings.
        power: the last one; None without a sensor that can be read.
        energy: since the last time; None where nothing is known of it.
        over_current: events since the last time, by kind; empty where nothing counts them.
        limit_fps: of the frame rate now; None without one.
    """

    state: DeviceState
    power: Power | None
    energy: IntervalEnergy | None
    over_current: dict[str, int]
    limit_fps: float | None


class DeviceWatch:
    """Reads the sensors of the board.

    Args:
        power: declared watts and budget.
        adaptive: limits for the controller.
        inferences: counts inferences since the start.
        on_decision: told each change of the limit of the frame rate, in the thread of this object.
        on_trouble: told what begins (with a text for people) and what is over (with None), likewise.
        root: below which /sys, /proc, /dev and /usr lie.
    """

    def __init__(
        self,
        power: PowerSettings,
        adaptive: AdaptiveSettings,
        inferences: Callable[[], int],
        on_decision: Callable[[Decision], None] = lambda decision: None,
        on_trouble: Callable[[Trouble, str | None], None] = lambda code, text: None,
        root: Path = Path("/"),
    ) -> None:
        declared = None
        if power.idle_w is not None and power.full_w is not None:
            declared = DeclaredPower(power.idle_w, power.full_w)
        self._inferences, self._root = inferences, root
        self._on_decision, self._on_trouble = on_decision, on_trouble
        self._meter = PowerMeter(root, declared)
        self._over_current = OverCurrent(root)
        self._controller = RateController(adaptive, power.budget_w)
        self._lock = threading.Lock()
        self._account = EnergyAccount(power.idle_w)
        self._watts: list[float] = []
        self._troubles: set[Trouble] = set()
        self._looked = self._sampled = self._read_power()
        self._sensors = DeviceSensors(root)
        self._state = self._sensors.read()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="device-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one that waits for a sensor is left to its deadline."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self._sensors.close()

    def take(self) -> DeviceInterval:
        """Return what was seen since the last call."""
        with self._lock:
            return DeviceInterval(
                self._state,
                self._sampled.power,
                self._account.take(),
                self._over_current.read(),
                self._controller.limit,
            )

    def sample(self) -> None:
        """Read the power once."""
        now = self._read_power()
        with self._lock:
            self._account.add(integrate_power(self._sampled, now))
            self._sampled = now
        if now.power is not None:
            estimate = now.power.estimated_input_w
            self._watts.append(now.power.watts if estimate is None else estimate)

    def look(self) -> None:
        """Read the other sensors once, and act on what they say."""
        state = self._sensors.read()
        with self._lock:
            self._state = state
        last, self._looked = self._looked, self._sampled
        supply = read_supply(self._root)
        seconds = (self._looked.now_ns - last.now_ns) / 1e9
        watts, self._watts = self._watts, []
        if seconds > 0:
            self._control(
                BoardConditions(
                    fps=(self._looked.inferences - last.inferences) / seconds,
                    temperature_c=state.hottest_c,
                    throttled=state.throttled,
                    under_voltage=state.under_voltage,
                    battery_percent=supply.battery_percent if supply.on_mains is False else None,
                    watts=sum(watts) / len(watts) if watts else None,
                )
            )
        self._tell("throttled", bool(state.throttled), "the board is hot and has lowered its clock")
        self._tell("under_voltage", bool(state.under_voltage), "the supply is too weak")

    def _read_power(self) -> PowerSample:
        now_ns = time.monotonic_ns()
        return PowerSample(now_ns, self._meter.read(now_ns), self._inferences())

    def _control(self, conditions: BoardConditions) -> None:
        decision = self._controller.decide(time.monotonic(), conditions)
        if decision is not None:
            logger.info("frame rate: %s", explain(decision))
            self._on_decision(decision)

    def _tell(self, code: Trouble, holds: bool, text: str) -> None:
        if holds and code not in self._troubles:
            self._troubles.add(code)
            self._on_trouble(code, text)
        elif not holds and code in self._troubles:
            self._troubles.remove(code)
            self._on_trouble(code, None)

    def _run(self) -> None:
        look_due = time.monotonic() + LOOK_S
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            try:
                self.sample()
                if time.monotonic() >= look_due:
                    look_due = time.monotonic() + LOOK_S
                    self.look()
            except Exception:  # the board goes on detecting, and the next reading may work
                logger.exception("reading the sensors failed; report this as a mistake of edgeagent")
            due = max(due + SAMPLE_S, time.monotonic())


def explain(decision: Decision) -> str:
    """Return a decision for people."""
    names = ", ".join(reason.replace("_", " ") for reason in decision.reasons)
    limit = "no limit" if decision.to_fps is None else f"at most {decision.to_fps:.1f} frames/s"
    return f"{limit} ({names or 'recovered'})"
