"""The topics ``cmd`` and ``reply`` (docs/mqtt.md).

Commands are obeyed in the order they come, in a thread of their own: the network's must not wait for them.
"""

from __future__ import annotations

import logging
import threading
import time
from queue import SimpleQueue

from edgeagent.delivery.commands import Answer, Commands
from edgeagent.telemetry.messages import Reply, utc_time
from edgeagent.telemetry.mqtt import Arrival, MqttPublisher
from edgeagent.telemetry.rate_limit import Allowance

logger = logging.getLogger(__name__)

COMMAND, REPLY = "cmd", "reply"
MOST_WAITING = 16  # commands; more come from a mistake or an attack
BURST, PER_SECOND = 32, 2.0  # commands that are taken at once, and in the long run
STOP_TIMEOUT_S = 1.0
FLOOD = (
    f"too many commands: up to {MOST_WAITING} wait, {BURST} are taken at once and {PER_SECOND:g} a second "
    "in the long run; the rest is ignored"
)


class CommandTopic:
    """Hands commands to what obeys them, and publishes the answers.

    Args:
        publisher: not yet started.
        commands: that may be given.
    """

    def __init__(self, publisher: MqttPublisher, commands: Commands) -> None:
        self._publisher, self._commands = publisher, commands
        self._waiting: SimpleQueue[Arrival | None] = SimpleQueue()
        self._allowance = Allowance(BURST, PER_SECOND)
        self._flooded = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self.ignored = 0
        """Commands that were not even looked at, as too many came."""
        publisher.subscribe(COMMAND, self._receive)

    def start(self) -> None:
        """Begin to obey."""
        self._thread.start()

    def stop(self) -> None:
        """Obey no more; a command that takes long is left to end with the program."""
        self._stopping.set()
        self._waiting.put(None)
        self._thread.join(STOP_TIMEOUT_S)

    def _receive(self, arrival: Arrival) -> None:
        """Take a command, unless too many come: that is told once, until one is taken again."""
        if self._waiting.qsize() >= MOST_WAITING or not self._allowance.allows(time.monotonic()):
            self.ignored += 1
            if not self._flooded:
                self._flooded = True
                logger.warning("commands are ignored: %s", FLOOD)
                self._reply(Answer(None, False, FLOOD))
            return
        self._flooded = False
        self._waiting.put(arrival)

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
