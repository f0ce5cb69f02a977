"""Interface to the broker for all other parts, and a null object for devices without a broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.timing.progress import Progress

STOP_S = 2.0  # for the last messages

ConnectionState = Literal["connecting", "connected", "refused", "disconnected"]


@dataclass(frozen=True)
class Arrival:
    """Message received from the broker.

    Attributes:
        payload: payload as sent.
        retained: whether the broker had retained it, so that it may be of any age.
    """

    payload: bytes
    retained: bool


Receive = Callable[[Arrival], None]


class Publisher(Protocol):
    """Publisher of one device's messages. Callers never wait for the network.

    Topics are below the device's prefix, except those of the ``absolute`` methods.
    """

    @property
    def state(self) -> ConnectionState:
        """State of the connection."""

    @property
    def dropped(self) -> Counter[str]:
        """Number of lost messages by stream, since the start."""

    @property
    def spool(self) -> SpoolState | None:
        """State of the spool; None without one."""

    @property
    def progress(self) -> Progress | None:
        """Progress of the thread that stores and sends messages; None without one."""

    def start(self) -> None:
        """Connect in the background, and reconnect whenever the connection is lost."""

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Publish ``stopped`` and disconnect, within ``timeout_s``."""

    def publish(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Publish a message that the broker does not retain."""

    def publish_absolute(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """As :meth:`publish`, for a complete topic; without a connection the message is lost."""

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message now, if connected, and at every connect from now on."""

    def retain_absolute(self, topic: str, payload: bytes) -> None:
        """As :meth:`retain`, for a complete topic."""

    def retain_unacknowledged(self, topic: str, payload: bytes) -> None:
        """As :meth:`retain`, with QoS 0."""

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Subscribe to a topic, now or at the next connect."""

    def subscribe_absolute(self, topic: str, receive: Receive) -> None:
        """As :meth:`subscribe`, for a complete topic."""

    def wait_for(self, state: ConnectionState, timeout: float) -> bool:
        """Wait until the connection is in ``state``; return False after ``timeout`` seconds."""


class NoPublisher:
    """Publisher of a device without a broker: it publishes and receives nothing."""

    state: ConnectionState = "disconnected"
    spool: SpoolState | None = None
    progress: Progress | None = None

    @property
    def dropped(self) -> Counter[str]:
        """Empty: nothing is meant to be delivered."""
        return Counter()

    def start(self) -> None:
        """Do nothing."""

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Do nothing."""

    def publish(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Discard the message."""

    def publish_absolute(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Discard the message."""

    def retain(self, topic: str, payload: bytes) -> None:
        """Discard the message."""

    def retain_absolute(self, topic: str, payload: bytes) -> None:
        """Discard the message."""

    def retain_unacknowledged(self, topic: str, payload: bytes) -> None:
        """Discard the message."""

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Do nothing: no message arrives."""

    def subscribe_absolute(self, topic: str, receive: Receive) -> None:
        """Do nothing: no message arrives."""

    def wait_for(self, state: ConnectionState, timeout: float) -> bool:
        """Return whether ``state`` is ``disconnected``, at once."""
        return state == self.state
