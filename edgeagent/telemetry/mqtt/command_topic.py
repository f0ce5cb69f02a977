"""Topics that the device listens to, ``cmd`` and ``feedback``, and ``reply`` (docs/mqtt.md).

What comes is taken in the order it comes, in a thread of its own: the network's must not wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
from queue import SimpleQueue
from typing import Protocol

from edgeagent.telemetry.contract.commands import CommandReply
from edgeagent.telemetry.contract.messages import Reply
from edgeagent.telemetry.mqtt.publisher import Arrival, MqttPublisher
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

COMMAND, REPLY = "cmd", "reply"
MOST_WAITING = 16  # commands; more come from a mistake or an attack
BURST, PER_SECOND = 32, 2.0  # commands that are taken at once, and in the long run
STOP_TIMEOUT_S = 1.0
FLOOD = (
    f"too many commands: up to {MOST_WAITING} wait, {BURST} are taken at once and {PER_SECOND:g} a second "
    "in the long run; the rest is ignored"
)


class Answering(Protocol):
    """What obeys."""

    def answer(self, payload: bytes, retained: bool) -> CommandReply | None:
        """Do what a message says and return what to answer; None where nobody waits for an answer."""


class CommandTopic:
    """Hands what comes on a topic to what obeys it, and publishes the answers.

    Args:
        publisher: not yet started.
        commands: that may be given.
        topic: below the device's prefix.
        most_waiting: messages; what comes beyond them is ignored, and counted.
        rest_s: seconds between two messages at least, so that a flood takes no more.
        allowance: of messages that are taken; who sends more is answered once. None has no such limit.
    """

    def __init__(
        self,
        publisher: MqttPublisher,
        commands: Answering,
        topic: str = COMMAND,
        most_waiting: int = MOST_WAITING,
        rest_s: float = 0.0,
        allowance: RateLimit | None = None,
    ) -> None:
        self._publisher, self._commands = publisher, commands
        self._waiting: SimpleQueue[Arrival | None] = SimpleQueue()
        self._topic, self._most_waiting, self._rest_s = topic, most_waiting, rest_s
        self._allowance, self._flooded = allowance, False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=topic, daemon=True)
        self.ignored = 0
        """Messages that were not even looked at, as too many came."""
        publisher.subscribe(topic, self._receive)

    def start(self) -> None:
        """Begin to obey."""
        self._thread.start()

    def stop(self) -> None:
        """Obey no more; what takes long is left to end with the program."""
        self._stopping.set()
        self._waiting.put(None)
        self._thread.join(STOP_TIMEOUT_S)

    def _receive(self, arrival: Arrival) -> None:
        """Take a message, unless too many come: commands are told so once, until one is taken again."""
        rare = self._allowance is None or self._allowance.allows(time.monotonic_ns())
        if not rare or self._waiting.qsize() >= self._most_waiting:
            self.ignored += 1
            if self.ignored.bit_count() == 1:  # 1, 2, 4, 8 ...: a flood must not fill the log
                logger.warning("%s: %d ignored so far, as too many come", self._topic, self.ignored)
            if self._allowance is not None and not self._flooded:
                self._flooded = True
                self._reply(CommandReply(None, False, FLOOD))
            return
        self._flooded = False
        self._waiting.put(arrival)

    def _run(self) -> None:
        while (arrival := self._waiting.get()) is not None and not self._stopping.is_set():
            answer = self._commands.answer(arrival.payload, arrival.retained)
            if answer is not None:
                self._reply(answer)
            if self._rest_s:
                self._stopping.wait(self._rest_s)

    def _reply(self, answer: CommandReply) -> None:
        reply = Reply(
            time=utc_time(time.time()),
            request_id=answer.request_id,
            ok=answer.ok,
            error=None if answer.ok else answer.text,
            result=answer.text if answer.ok else None,
        )
        self._publisher.publish(REPLY, reply.payload(), qos=1)
