"""Topics on which the device receives requests, ``cmd`` and ``feedback``, and the topic ``reply``.

Requests are handled in the order of their arrival, in a thread of their own, as the network thread must not
wait for them. Payloads and limits are documented in docs/mqtt.md.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from edgeagent.telemetry.contract.commands import CommandReply
from edgeagent.telemetry.contract.messages import Reply
from edgeagent.telemetry.mqtt.interface import Arrival, Publisher
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

COMMAND, REPLY = "cmd", "reply"
MOST_WAITING = 16  # commands; more are a mistake or an attack
BURST, PER_SECOND = 32, 2.0  # commands accepted at once, and in the long run
STOP_TIMEOUT_S = 1.0
FLOOD = (
    f"too many commands: up to {MOST_WAITING} wait, {BURST} are taken at once and {PER_SECOND:g} a second "
    "in the long run; the rest is ignored"
)


@dataclass(frozen=True)
class RequestLimits:
    """Limits of the requests on one topic.

    Attributes:
        most_waiting: largest number of waiting requests; further ones are ignored and counted.
        pause_s: pause between two requests in seconds, which bounds the load of a flood.
        burst, per_second: requests accepted at once, and in the long run; a sender of more gets one reply.
            None for ``burst`` sets no such limit.
    """

    most_waiting: int = MOST_WAITING
    pause_s: float = 0.0
    burst: int | None = BURST
    per_second: float = PER_SECOND


COMMAND_LIMITS = RequestLimits()


class RequestHandler(Protocol):
    """Handler of the requests on one topic."""

    def answer(self, payload: bytes, retained: bool) -> CommandReply | None:
        """Handle a request and return its reply; None where the sender expects none."""


class CommandTopic:
    """Subscription to a topic: passes requests to their handler, and publishes the replies.

    Args:
        publisher: publisher, not yet started.
        handler: handler of the requests.
        topic: topic below the device's prefix.
        limits: limits of the requests.

    Attributes:
        ignored: number of requests that were discarded unread, as too many arrived.
    """

    def __init__(
        self,
        publisher: Publisher,
        handler: RequestHandler,
        topic: str = COMMAND,
        limits: RequestLimits = COMMAND_LIMITS,
    ) -> None:
        self._publisher, self._handler, self._topic, self._limits = publisher, handler, topic, limits
        self._allowance = None if limits.burst is None else RateLimit(limits.per_second, limits.burst)
        self._waiting: SimpleQueue[Arrival | None] = SimpleQueue()
        self._flooded = False
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, topic)
        self.ignored = 0
        publisher.subscribe(topic, self._receive)

    def start(self) -> None:
        """Start handling requests."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop handling requests; one that takes long ends with the program."""
        self._stopping.set()
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _receive(self, arrival: Arrival) -> None:
        """Queue a request, unless too many arrive; a flood of commands gets a single reply."""
        accepted = self._allowance is None or self._allowance.allows(time.monotonic_ns())
        if not accepted or self._waiting.qsize() >= self._limits.most_waiting:
            self.ignored += 1
            if self.ignored.bit_count() == 1:  # 1, 2, 4, 8 ...: a flood must not fill the log
                logger.warning("%s: %d ignored so far, as too many arrive", self._topic, self.ignored)
            if self._allowance is not None and not self._flooded:
                self._flooded = True
                self._reply(CommandReply(None, False, FLOOD))
            return
        self._flooded = False
        self._waiting.put(arrival)

    def _run(self) -> None:
        while (arrival := self._waiting.get()) is not None and not self._stopping.is_set():
            answer = self._handler.answer(arrival.payload, arrival.retained)
            if answer is not None:
                self._reply(answer)
            if self._limits.pause_s:
                self._stopping.wait(self._limits.pause_s)

    def _reply(self, answer: CommandReply) -> None:
        reply = Reply(
            time=utc_time(time.time()),
            request_id=answer.request_id,
            ok=answer.ok,
            error=None if answer.ok else answer.text,
            result=answer.text if answer.ok else None,
        )
        self._publisher.publish(REPLY, reply.payload(), qos=1)
