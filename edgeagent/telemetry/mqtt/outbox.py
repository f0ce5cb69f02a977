"""Outbox: every QoS 1 message from its publication to the broker's acknowledgement.

::

    post -> memory -> sent -> acknowledged: deleted
              |         |
              |         +- not acknowledged within GRACE_S ------+
              +- broker away, or of the highest priority --------+-> spool -> replayed, acknowledged: deleted

While the broker answers, messages are sent from memory and nothing is written to the disk. New messages are
sent at once; messages in the spool are replayed at a limited rate with ``historical: true``, so that they
never delay new ones. While the disk fails, messages wait in memory, from which the oldest of the lowest
priority is evicted first.

One thread does all of it. After a lost connection paho resends the messages in flight itself, so they stay
"sent" here until they are acknowledged; the broker may receive a message twice (QoS 1).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue

from edgeagent.telemetry.contract.messages import historical
from edgeagent.telemetry.contract.streams import HIGHEST, stream_of
from edgeagent.telemetry.mqtt.direct import DirectMessages
from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool, SpoolState
from edgeagent.telemetry.mqtt.replay import Replay
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.progress import UNLIMITED_S, Progress

logger = logging.getLogger(__name__)

GRACE_S = 2.0  # for the broker's acknowledgement, before a message is written to the disk
WINDOW = 20  # messages in flight, which is also paho's own limit
REPLAY_WINDOW = 10  # of these, replayed ones
INBOX = 1000  # messages that wait for the thread
DELETE_EVERY_S = 1.0  # acknowledged messages are deleted from the disk together
IDLE_S = 60.0  # longest sleep
LONGEST_WRITE_S = 300.0  # of a worn memory card, in seconds; the watchdog waits so long

Send = Callable[[str, bytes], int | None]
"""Passes a message to the client; returns the ID of its acknowledgement, None if it was not accepted."""


@dataclass(slots=True, eq=False)
class _Message:
    """Message in memory.

    Attributes:
        id: number as in the spool; orders all messages.
        since: monotonic time of its publication in seconds.
        late: whether it could not be sent at its publication.
        replayed: whether it comes from the spool.
    """

    id: int
    topic: str
    priority: int
    payload: bytes
    since: float
    late: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    mid: int
    refusal: str | None


class Outbox:
    """Outbox of one connection: its thread, its memory and its spool.

    Args:
        send: called in the thread.
        memory: largest number of messages that wait in memory.
        replay: highest rate of replayed messages, per second.
        open_spool: opens the spool, in the thread; None keeps messages in memory only.
        direct: messages that do not pass the outbox; their acknowledgements arrive here, too.

    Attributes:
        progress: of the thread, for the watchdog.
    """

    def __init__(
        self,
        send: Send,
        memory: int,
        replay: float,
        open_spool: Callable[[], Spool] | None,
        direct: DirectMessages,
    ) -> None:
        self._send, self._limit = send, memory
        self._has_spool = open_spool is not None
        self._inbox: SimpleQueue[_Message | _Acknowledged | bool | threading.Event | None] = SimpleQueue()
        self._thread = GuardedThread(self._run, "outbox", vital=True)
        self.progress = Progress("outbox of messages")
        self._direct, self._losses = direct, direct.losses
        self._state = SpoolState()
        # the rest belongs to the thread
        self._spool = FaultTolerantSpool(open_spool)
        self._replay = Replay(self._spool, replay, partial(self._losses.count, "unknown"))
        self._numbered = False  # whether IDs follow those of the spool
        self._last_id = 0
        self._connected = False
        self._fresh: deque[_Message] = deque()  # neither acknowledged nor on the disk
        self._unsent: deque[_Message] = deque()  # to be sent from memory
        self._in_flight: dict[int, _Message] = {}  # by the ID of the acknowledgement
        self._acknowledged: list[int] = []  # to be deleted from the disk
        self._delete_due = 0.0

    @property
    def state(self) -> SpoolState | None:
        """State of the spool after the last change; None without a spool."""
        return self._state if self._has_spool else None

    def start(self) -> None:
        """Start the thread, which opens the spool."""
        self._thread.start()

    def post(self, topic: str, payload: bytes) -> None:
        """Accept a message, from any thread; never waits for the disk or the network."""
        if self._inbox.qsize() >= INBOX:  # the disk hangs
            self._losses.count(topic)
            return
        self._inbox.put(_Message(0, topic, stream_of(topic).priority, payload, time.monotonic()))

    def acknowledge(self, mid: int, refusal: str | None) -> None:
        """Record that the broker has acknowledged a message, or why it refuses it. Takes no lock."""
        self._inbox.put(_Acknowledged(mid, refusal))

    def set_connected(self, connected: bool) -> None:
        """Record that the client is connected to the broker, or no longer is."""
        self._inbox.put(connected)

    def flush(self, timeout: float) -> bool:
        """Wait until every message posted so far is sent, on the disk, or waits in memory."""
        done = threading.Event()
        self._inbox.put(done)
        return self._thread.is_alive() and done.wait(timeout)

    def close(self, timeout: float) -> None:
        """Store unacknowledged messages and end the thread; give up waiting for it after ``timeout`` s."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    # The thread

    def _run(self) -> None:
        while True:
            self.progress.expect(LONGEST_WRITE_S, "opening the spool")
            self._renumber(self._spool.open(time.monotonic()))
            waiters: list[threading.Event] = []
            last = self._take_inbox(waiters)
            self.progress.expect(LONGEST_WRITE_S, "storing and sending messages")
            now = time.monotonic()
            self._store(now, everything=last)
            self._send_unsent()
            self._evict()
            self._send_replayed(now)
            self._delete_acknowledged(now, everything=last)
            self._state = self._spool.state()
            for waiter in waiters:
                waiter.set()
            if last:
                break
        self._spool.close()
        self.progress.expect(UNLIMITED_S, "closed")
        if self._fresh:
            logger.warning("%d messages were not acknowledged, and are lost", len(self._fresh))

    def _take_inbox(self, waiters: list[threading.Event]) -> bool:
        """Wait for input, and process all of it; return whether the thread is to end."""
        timeout = self._idle_time(time.monotonic())
        self.progress.expect(timeout, "waiting for messages")
        while True:
            try:
                item = self._inbox.get(timeout=timeout)
            except Empty:
                return False
            timeout = 0.0
            if item is None:
                return True
            if isinstance(item, threading.Event):
                waiters.append(item)
            elif isinstance(item, bool):
                self._connected = item
                for message in () if item else self._unsent:
                    message.late = True
            elif isinstance(item, _Acknowledged):
                self._finish(item)
            else:
                self._last_id += 1
                item.id, item.late = self._last_id, not self._connected
                self._fresh.append(item)
                self._unsent.append(item)

    def _idle_time(self, now: float) -> float:
        """Return the seconds until the thread has work without new input."""
        due = [now + IDLE_S]
        if not self._spool.usable:
            due.append(self._spool.due)
        elif self._fresh:
            due.append(self._fresh[0].since + GRACE_S)
        if self._acknowledged:
            due.append(self._delete_due)
        if self._may_replay() and not self._replay.finished:
            due.append(now + self._replay.interval_s)
        return max(0.0, min(due) - now)

    def _finish(self, answer: _Acknowledged) -> None:
        message = self._in_flight.pop(answer.mid, None)
        if message is None:
            self._direct.finish(answer.mid, answer.refusal)
            return
        if answer.refusal is not None:
            self._losses.report(message.topic, answer.refusal)
        if message in self._fresh:
            self._fresh.remove(message)
        else:
            self._acknowledged.append(message.id)

    def _store(self, now: float, everything: bool) -> None:
        """Write to the disk the messages that must not be in memory only."""
        all_of_them, old = everything or not self._connected, now - GRACE_S
        wanted = [m for m in self._fresh if all_of_them or m.priority == HIGHEST or m.since <= old]
        if wanted:
            messages = [SpooledMessage(m.id, m.topic, m.priority, m.payload) for m in wanted]
            evicted = self._spool.append(messages)
            if evicted is not None:
                stored = set(wanted)
                self._fresh = deque(m for m in self._fresh if m not in stored)
                self._replay.finished = False
                self._count_evicted(evicted)
        if self._spool.usable:  # a message on the disk that cannot be sent at once is replayed
            fresh = set(self._fresh)
            self._unsent = deque(
                m for m in self._unsent if m in fresh or (self._connected and not m.late and m.since > old)
            )

    def _evict(self) -> None:
        """Evict the oldest messages of the lowest priority from memory."""
        while len(self._unsent) > self._limit:
            victim = min(self._unsent, key=lambda message: (message.priority, message.id))
            self._unsent.remove(victim)
            if victim in self._fresh:
                self._fresh.remove(victim)
            self._losses.count(victim.topic)

    def _send_unsent(self) -> None:
        while self._connected and self._unsent and len(self._in_flight) < WINDOW:
            if not self._send_message(self._unsent[0]):
                return
            self._unsent.popleft()

    def _send_message(self, message: _Message) -> bool:
        payload = historical(message.payload) if message.late else message.payload
        mid = self._send(message.topic, payload)
        if mid is None:
            return False
        self._in_flight[mid] = message
        return True

    def _may_replay(self) -> bool:
        replayed = sum(message.replayed for message in self._in_flight.values())
        return (
            self._spool.usable
            and self._connected
            and not self._unsent
            and replayed < REPLAY_WINDOW
            and len(self._in_flight) < WINDOW
        )

    def _send_replayed(self, now: float) -> None:
        """Send messages from the spool, as far as rate and window allow."""
        while self._may_replay():
            spooled = self._replay.next({m.id for m in self._in_flight.values()} | set(self._acknowledged))
            if spooled is None or not self._replay.allows(time.monotonic_ns()):
                return
            message = _Message(spooled.id, spooled.topic, spooled.priority, spooled.payload, now, True, True)
            if not self._send_message(message):
                return
            self._replay.advance()

    def _delete_acknowledged(self, now: float, everything: bool) -> None:
        """Delete acknowledged messages from the disk."""
        if self._acknowledged and (now >= self._delete_due or everything):
            if self._spool.remove(self._acknowledged):
                self._acknowledged.clear()
            self._delete_due = now + DELETE_EVERY_S

    def _renumber(self, last: int | None) -> None:
        """Number messages that were posted before the spool was first opened behind those in the spool."""
        if last is None:
            return
        self._replay.finished = False
        if not self._numbered:
            self._numbered = True
            for message in {*self._fresh, *self._unsent, *self._in_flight.values()}:
                message.id += last
            self._last_id += last

    def _count_evicted(self, evicted: list[tuple[int, str]]) -> None:
        """Count messages evicted from the spool as dropped, unless the client or memory still has them."""
        if evicted:
            self._replay.discard_read_ahead()
            safe = {m.id for m in (*self._in_flight.values(), *self._unsent)} | set(self._acknowledged)
            for number, topic in evicted:
                if number not in safe:
                    self._losses.count(topic)
