"""A publisher of the device ``board``, on loopback, that tries again soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.telemetry.mqtt.spool import Spool

INFO = b'{"agent": "x"}'

Protocol = Literal["5", "3.1.1"]
PROTOCOLS: tuple[Protocol, ...] = ("5", "3.1.1")


def settings(port: int, **more: Any) -> MqttSettings:
    """Settings for a broker on loopback."""
    return MqttSettings(
        **{"host": "127.0.0.1", "port": port, "retry_first": 1.0, "retry_longest": 1.0, **more}
    )


def numbered(number: int) -> bytes:
    """A message as it is when it is sent at once."""
    return b'{"sequence":%d}' % number


def late(number: int) -> bytes:
    """The same as it is when it has waited."""
    return b'{"sequence":%d,"historical":true}' % number


@contextmanager
def publishing(
    chosen: MqttSettings, open_spool: Callable[[], Spool] | None = None, replay: float = 1000.0
) -> Iterator[MqttPublisher]:
    """A publisher from its start to its clean stop."""
    publisher = MqttPublisher(chosen, "board", open_spool, replay)
    publisher.retain("info", INFO)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()
