"""Run of a simulated fleet: who sends what, and when."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from edgeagent.fleet.simulator.boards import SimulatedModel
from edgeagent.fleet.simulator.connections import FleetConnections
from edgeagent.fleet.simulator.device import SimulatedDevice
from edgeagent.fleet.simulator.faults import Faults, Spoiler
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.contract.messages import ROOT, Numbered

EVENTS_EVERY, ACCURACY_EVERY = 6, 60
"""Messages of telemetry of a device between two events, and between two messages ``accuracy``."""
LATE_AFTER = 50
"""Messages after which those that were held back are replayed."""
LAST_S = 60.0


@dataclass(frozen=True)
class Simulation:
    """What is simulated.

    Attributes:
        devices: number of devices, named ``<prefix>00001`` and so on. rate: messages of telemetry of all
        devices together in a second; None: one a device each ``interval_s``. interval_s: seconds that a
        message of telemetry covers. seconds: length; None until it is stopped. messages: number of messages
        of telemetry; None without a bound. seed: of everything that is drawn. connections: to the broker.
        prefix: of the names. tenant: first level of the topics; None without tenants. faults: shares of what
        goes wrong. model: that serves at first. update: model that devices change to. update_share: share of
        the devices that do. update_after: messages of telemetry of a device before it does. start: time of
        the first message; later ones follow by ``interval_s``. None: the present, always.
    """

    devices: int = 10
    rate: float | None = None
    interval_s: float = 10.0
    seconds: float | None = None
    messages: int | None = None
    seed: int = 1
    connections: int = 4
    prefix: str = "sim-"
    tenant: str | None = None
    faults: Faults = field(default_factory=Faults)
    model: SimulatedModel = field(default_factory=SimulatedModel)
    update: SimulatedModel | None = None
    update_share: float = 0.5
    update_after: int = 30
    start: datetime | None = None


class FleetSimulator:
    """A simulated fleet on a broker.

    Args:
        simulation: what to simulate.
        broker: settings of the connections.

    Attributes:
        counts: messages by stream, and by fault.
    """

    def __init__(self, simulation: Simulation, broker: MqttSettings) -> None:
        self._simulation, self._broker = simulation, broker
        self._stopping = threading.Event()
        self._spoiler = Spoiler(simulation.faults, simulation.seed)
        self._held: deque[tuple[int, int, str, bytes]] = deque()
        self._sent_of: Counter[int] = Counter()
        self._number = 0
        self.counts: Counter[str] = Counter()
        base = (simulation.start or datetime.now(timezone.utc)) - timedelta(minutes=5)
        self.devices = [
            SimulatedDevice(
                f"{simulation.prefix}{number + 1:05d}",
                simulation.seed * 1_000_003 + number,
                base,
                simulation.model,
                simulation.interval_s,
            )
            for number in range(simulation.devices)
        ]
        self._clocks = [self._draw_clock() for _ in self.devices]

    def stop(self) -> None:
        """Let :meth:`run` return soon."""
        self._stopping.set()

    def run(self, on_connected: Callable[[], None] = lambda: None) -> None:
        """Publish until the end.

        Args:
            on_connected: called once all devices have said what they are.

        Raises:
            EdgeagentError: the broker cannot be reached.
        """
        wanted = self._simulation
        rate = wanted.rate or wanted.devices / wanted.interval_s
        with FleetConnections(self._broker, wanted.connections) as connections:
            self._connections = connections
            for number in range(wanted.devices):
                self._introduce(number, self._time(0))
            on_connected()
            began = time.monotonic()
            while not self._stopping.is_set():
                passed = time.monotonic() - began
                if wanted.seconds is not None and passed >= wanted.seconds:
                    break
                if wanted.messages is not None and self._number >= wanted.messages:
                    break
                early = self._number / rate - passed
                if early > 0:
                    self._stopping.wait(min(early, 0.5))
                    continue
                self._one(self._number % wanted.devices)
                self._number += 1
            self._replay(all_of_them=True)
            connections.wait(LAST_S)
        self.counts.update(self._spoiler.counts)

    def _time(self, number: int) -> datetime:
        start = self._simulation.start
        if start is None:
            return datetime.now(timezone.utc)
        return start + timedelta(seconds=number * self._simulation.interval_s)

    def _introduce(self, number: int, at: datetime) -> None:
        device = self.devices[number]
        at += self._clocks[number]
        self._publish(number, "info", device.info(at).payload(), retain=True)
        self._publish(number, "alarm", device.alarm(at).payload(), retain=True)
        self._publish(number, "deployment", device.deployment(at).payload(), retain=True)
        self._publish(number, "accuracy", device.accuracy(at).payload(), retain=True)
        self._publish(number, "status", b"online", retain=True)

    def _one(self, number: int) -> None:
        """Send one message of telemetry of a device, and what else is due with it."""
        device, wanted = self.devices[number], self._simulation
        sent = self._sent_of[number]
        at = self._time(sent) + self._clocks[number]
        if (
            wanted.update is not None
            and sent == wanted.update_after
            and number < wanted.update_share * wanted.devices
        ):
            device.model = wanted.update
            self._introduce(number, self._time(sent))
        if self._spoiler.chance("restarts"):
            device.restart(at)
        if self._spoiler.chance("lost"):
            device.skip()
        self._sent_of[number] += 1
        self._numbered(number, "telemetry", device.telemetry(at))
        if sent % EVENTS_EVERY == number % EVENTS_EVERY:
            self._numbered(number, "events/presence", device.event(at))
            self._numbered(number, f"objects/{device.camera}", device.object_end(at))
        if sent % ACCURACY_EVERY == ACCURACY_EVERY - 1:
            self._publish(number, "accuracy", device.accuracy(at).payload(), retain=True)
        self._replay()

    def _numbered(self, number: int, stream: str, message: Numbered) -> None:
        payload = message.payload()
        if self._spoiler.chance("late"):
            self._held.append((self._number + LATE_AFTER, number, stream, self._spoiler.later(payload)))
            self.counts[stream.partition("/")[0]] += 1
            return
        first, *more = self._spoiler.now(payload)
        self._publish(number, stream, first)
        for spoiled in more:
            self._connections.publish(number, self._topic(number, stream), spoiled)

    def _replay(self, *, all_of_them: bool = False) -> None:
        while self._held and (all_of_them or self._held[0][0] <= self._number):
            _, number, stream, payload = self._held.popleft()
            self._connections.publish(number, self._topic(number, stream), payload)

    def _publish(self, number: int, stream: str, payload: bytes, *, retain: bool = False) -> None:
        self.counts[stream.partition("/")[0]] += 1
        self._connections.publish(number, self._topic(number, stream), payload, retain=retain)

    def _topic(self, number: int, stream: str) -> str:
        tenant = f"{self._simulation.tenant}/" if self._simulation.tenant else ""
        return f"{tenant}{ROOT}/{self.devices[number].name}/{stream}"

    def _draw_clock(self) -> timedelta:
        """Return the error of a device's clock."""
        if not self._spoiler.chance("clock"):
            return timedelta()
        wrong = datetime(1970 if self._spoiler.counts["clock"] % 2 else 2100, 1, 1, tzinfo=timezone.utc)
        return wrong - datetime.now(timezone.utc)
