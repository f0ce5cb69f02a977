"""Publisher whose messages a part of the device sees, too."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.telemetry.mqtt.interface import STOP_S, ConnectionState, Publisher, Receive
from edgeagent.timing.progress import Progress
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

Observe = Callable[[str, bytes], None]


class ObservedPublisher:
    """Passes everything to a publisher, and shows the messages of the device to an observer first.

    A fault of the observer is logged, and nothing else: the message is published.

    Args:
        publisher: that publishes.
        observe: called with topic and payload, in the thread that publishes.
    """

    def __init__(self, publisher: Publisher, observe: Observe) -> None:
        self._publisher, self._observe = publisher, observe
        self._repeats = RepeatLimit()

    @property
    def state(self) -> ConnectionState:
        """State of the connection."""
        return self._publisher.state

    @property
    def dropped(self) -> Counter[str]:
        """Number of lost messages by stream, since the start."""
        return self._publisher.dropped

    @property
    def spool(self) -> SpoolState | None:
        """State of the spool; None without one."""
        return self._publisher.spool

    @property
    def progress(self) -> Progress | None:
        """Progress of the thread that stores and sends messages; None without one."""
        return self._publisher.progress

    def start(self) -> None:
        """Start the publisher."""
        self._publisher.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the publisher."""
        self._publisher.stop(timeout_s)

    def publish(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Publish a message that the broker does not retain."""
        self._show(topic, payload)
        self._publisher.publish(topic, payload, qos=qos)

    def publish_absolute(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Publish a message of an adapter, which is not observed."""
        self._publisher.publish_absolute(topic, payload, qos=qos)

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message."""
        self._show(topic, payload)
        self._publisher.retain(topic, payload)

    def retain_absolute(self, topic: str, payload: bytes) -> None:
        """Publish a retained message of an adapter, which is not observed."""
        self._publisher.retain_absolute(topic, payload)

    def retain_unacknowledged(self, topic: str, payload: bytes) -> None:
        """Publish a retained message with QoS 0."""
        self._show(topic, payload)
        self._publisher.retain_unacknowledged(topic, payload)

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Subscribe to a topic."""
        self._publisher.subscribe(topic, receive)

    def subscribe_absolute(self, topic: str, receive: Receive) -> None:
        """Subscribe to a complete topic."""
        self._publisher.subscribe_absolute(topic, receive)

    def wait_for(self, state: ConnectionState, timeout: float) -> bool:
        """Wait until the connection is in ``state``; return False after ``timeout`` seconds."""
        return self._publisher.wait_for(state, timeout)

    def _show(self, topic: str, payload: bytes) -> None:
        try:
            self._observe(topic, payload)
        except Exception:
            if self._repeats.allows(topic, time.monotonic()):
                logger.exception("the message %s cannot be shown; report this as a bug of edgeagent", topic)
