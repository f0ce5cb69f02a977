"""The topics ``cmd`` and ``reply`` (docs/mqtt.md).

Commands are obeyed in the order they come, in a thread of their own: the network's must not wait for them.
"""

from __future__ import annotations

import logging
import threading
import time
from queue import Full, Queue

from edgeagent.delivery.commands import Answer, Commands
from edgeagent.telemetry.messages import Reply, utc_time
from edgeagent.telemetry.mqtt import Arrival, MqttPublisher

logger = logging.getLogger(__name__)

COMMAND, REPLY = "cmd", "reply"
MOST_WAITING = 16  # commands; more come from a mistake or an attack
STOP_TIMEOUT_S = 1.0


class CommandTopic:
    """Hands commands to what obeys them, and publishes the answers.

    Args:
        publisher: not yet started.
        commands: that may be given.
    """

    def __init__(self, publisher: MqttPublisher, commands: Commands) -> None:
        self._publisher, self._commands = publisher, commands
        self._waiting: Queue[Arrival | None] = Queue(MOST_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self.ignored = 0
        """Commands that were not even looked at, as too many waited."""
        publisher.subscribe(COMMAND, self._receive)

    def start(self) -> None:
        """Begin to obey."""
        self._thread.start()

    def stop(self) -> None:
        """Obey no more; a command that takes long is left to end with the program."""
        self._stopping.set()
        try:
            self._waiting.put_nowait(None)
        except Full:
            logger.info("commands that wait are dropped")
        self._thread.join(STOP_TIMEOUT_S)

    def _receive(self, arrival: Arrival) -> None:
        try:
            self._waiting.put_nowait(arrival)
        except Full:
            self.ignored += 1
            logger.warning("a command was ignored: %d are waiting", MOST_WAITING)

    def _run(self) -> None:
        while (arrival := self._waiting.get()) is not None and not self._stopping.is_set():
            self._reply(self._commands.answer(arrival.payload, arrival.retained))

    def _reply(self, answer: Answer) -> None:
        reply = Reply(
            time=utc_time(time.time()),
            request_id=answer.request_id,
            ok=answer.ok,
            error=None if answer.ok else answer.text,
            result=answer.text if answer.ok else None,
        )
        self._publisher.publish(REPLY, reply.payload(), qos=1)
