"""Every QoS 1 message from its making to the broker's acknowledgement; nothing is forgotten before that.

::

    post -> memory -> sent -> acknowledged: forgotten
              |         |
              |         +- not acknowledged within GRACE_S ----+
              +- the broker is away, or it is worth most ------+--> spool -> replayed -> acknowledged: deleted

While the broker answers, messages go straight from memory and nothing is written to the disk. What is
made is sent at once; what waits in the spool follows at a limited rate with ``historical: true``, so that
it never starves what is new. Where the disk fails, messages wait in memory instead, of which the oldest
telemetry makes room first.

One thread does all of it. After a lost connection paho itself sends again what was on its way, so here it
stays "sent" until it is acknowledged; the broker may get a message twice (QoS 1).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from edgeagent.telemetry.contract.messages import historical
from edgeagent.telemetry.contract.streams import MOST, stream_of
from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool, SpoolState
from edgeagent.telemetry.mqtt.spool import Spool, Waiting
from edgeagent.timing.rate_limit import RateLimit

logger = logging.getLogger(__name__)

GRACE_S = 2.0  # for the broker's acknowledgement, before a message is written to the disk
WINDOW = 20  # messages on their way at once, which is also paho's own limit
REPLAY_WINDOW = 10  # of these, replayed ones
READ_AHEAD = 32
INBOX = 1000  # messages that wait for this thread
FORGET_S = 1.0  # acknowledged ones are deleted from the disk together, this often
IDLE_S = 60.0  # longest sleep

Send = Callable[[str, bytes], int | None]
"""Hands a message to the client; returns the id of its acknowledgement, None if it was not taken."""


@dataclass(slots=True, eq=False)
class _Message:
    """A message in memory.

    Attributes:
        id: as in the spool; orders all messages.
        since: monotonic seconds at which it came.
        late: it could not be sent when it was made.
        replayed: it comes from the spool.
    """

    id: int
    topic: str
    worth: int
    payload: bytes
    since: float
    late: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    mid: int
    refusal: str | None


class Outbox:
    """The thread, its memory and its spool.

    Args:
        send: called in the thread.
        memory: messages that wait in memory at most.
        replay: messages per second from the spool at most.
        open_spool: opens the spool, in the thread; None keeps messages in memory only.
    """

    def __init__(
        self, send: Send, memory: int, replay: float, open_spool: Callable[[], Spool] | None = None
    ) -> None:
        self._send, self._limit = send, memory
        self._has_spool = open_spool is not None
        self._pace, self._slot_s = RateLimit(replay), 1 / replay
        self._inbox: SimpleQueue[_Message | _Acknowledged | bool | threading.Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._lock = threading.Lock()  # of what callers read
        self._dropped: Counter[str] = Counter()
        self._state = SpoolState()
        # the rest belongs to the thread
        self._shelf = FaultTolerantSpool(open_spool)
        self._numbered = False  # whether ids follow those of the spool
        self._last_id = 0
        self._connected = False
        self._fresh: deque[_Message] = deque()  # not acknowledged and not on the disk
        self._unsent: deque[_Message] = deque()  # to be sent from memory
        self._under_way: dict[int, _Message] = {}  # by the id of the acknowledgement
        self._ahead: deque[Waiting] = deque()  # read from the spool, to be replayed next
        self._replayed = 0  # id of the last one that was
        self._all_replayed = False
        self._done: list[int] = []  # acknowledged, to be deleted from the disk
        self._forget_due = 0.0

    @property
    def dropped(self) -> Counter[str]:
        """Lost messages by stream, since the start."""
        with self._lock:
            return Counter(self._dropped)

    @property
    def state(self) -> SpoolState | None:
        """The spool at the last change; None without one."""
        return self._state if self._has_spool else None

    def start(self) -> None:
        """Start the thread, which opens the spool."""
        self._thread.start()

    def post(self, topic: str, payload: bytes) -> None:
        """Take a message over, from any thread; never waits for the disk or the network."""
        if self._inbox.qsize() >= INBOX:  # the disk hangs
            self._drop(topic)
            return
        self._inbox.put(_Message(0, topic, stream_of(topic).worth, payload, time.monotonic()))

    def acknowledged(self, mid: int, refusal: str | None) -> None:
        """Learn from the client that the broker has a message, or why it refuses it. Takes no lock."""
        self._inbox.put(_Acknowledged(mid, refusal))

    def connection(self, there: bool) -> None:
        """Learn from the client that the broker is there, or is away."""
        self._inbox.put(there)

    def flush(self, timeout: float) -> bool:
        """Wait until everything posted so far is with the client, on the disk, or waits in memory."""
        done = threading.Event()
        self._inbox.put(done)
        return self._thread.is_alive() and done.wait(timeout)

    def close(self, timeout: float) -> None:
        """Keep what is not acknowledged and end the thread, which is left to itself after ``timeout`` s."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    # The thread

    def _run(self) -> None:
        while True:
            self._number(self._shelf.open(time.monotonic()))
            waiters: list[threading.Event] = []
            last = self._take_all(waiters)
            now = time.monotonic()
            self._store(now, everything=last)
            self._send_unsent()
            self._make_room()
            self._replay(now)
            self._forget(now, everything=last)
            self._state = self._shelf.state()
            for waiter in waiters:
                waiter.set()
            if last:
                break
        self._shelf.close()
        if self._fresh:
            logger.warning("%d messages were not acknowledged, and are lost", len(self._fresh))

    def _take_all(self, waiters: list[threading.Event]) -> bool:
        """Wait for something to do, and note all of it; True when it is the end."""
        timeout = self._pause(time.monotonic())
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

    def _pause(self, now: float) -> float:
        """Seconds until there is something to do without being told."""
        due = [now + IDLE_S]
        if not self._shelf.usable:
            due.append(self._shelf.due)
        elif self._fresh:
            due.append(self._fresh[0].since + GRACE_S)
        if self._done:
            due.append(self._forget_due)
        if self._may_replay() and not self._all_replayed:
            due.append(now + self._slot_s)
        return max(0.0, min(due) - now)

    def _finish(self, answer: _Acknowledged) -> None:
        message = self._under_way.pop(answer.mid, None)
        if message is None:  # of a state that is published at every connect
            return
        if answer.refusal is not None:
            logger.error("the broker refuses a message of %s: %s; dropped", message.topic, answer.refusal)
            self._drop(message.topic)
        if message in self._fresh:
            self._fresh.remove(message)
        else:
            self._done.append(message.id)

    def _store(self, now: float, everything: bool) -> None:
        """Write to the disk what should not be in memory only."""
        wanted = [
            m
            for m in self._fresh
            if everything or not self._connected or m.worth == MOST or now - m.since >= GRACE_S
        ]
        if wanted:
            dropped = self._shelf.append([Waiting(m.id, m.topic, m.worth, m.payload) for m in wanted])
            if dropped is not None:
                stored = set(wanted)
                self._fresh = deque(m for m in self._fresh if m not in stored)
                self._all_replayed = False
                self._lose(dropped)
        if self._shelf.usable:  # what is on the disk and cannot be sent at once is replayed
            fresh, young = set(self._fresh), now - GRACE_S
            self._unsent = deque(
                m for m in self._unsent if m in fresh or (self._connected and not m.late and m.since > young)
            )

    def _make_room(self) -> None:
        """Drop the oldest of the least worth from memory."""
        while len(self._unsent) > self._limit:
            victim = min(self._unsent, key=lambda message: (message.worth, message.id))
            self._unsent.remove(victim)
            if victim in self._fresh:
                self._fresh.remove(victim)
            self._drop(victim.topic)

    def _send_unsent(self) -> None:
        while self._connected and self._unsent and len(self._under_way) < WINDOW:
            if not self._hand_over(self._unsent[0]):
                return
            self._unsent.popleft()

    def _hand_over(self, message: _Message) -> bool:
        payload = historical(message.payload) if message.late else message.payload
        mid = self._send(message.topic, payload)
        if mid is None:
            return False
        self._under_way[mid] = message
        return True

    def _may_replay(self) -> bool:
        replaying = sum(message.replayed for message in self._under_way.values())
        return (
            self._shelf.usable
            and self._connected
            and not self._unsent
            and replaying < REPLAY_WINDOW
            and len(self._under_way) < WINDOW
        )

    def _replay(self, now: float) -> None:
        """Send the next from the spool, if it is its turn."""
        while self._may_replay() and (waiting := self._next_waiting()) is not None:
            if not self._pace.allows(time.monotonic_ns()):
                return
            message = _Message(*_parts(waiting), since=now, late=True, replayed=True)
            if not self._hand_over(message):
                return
            self._ahead.popleft()
            self._replayed = waiting.id

    def _next_waiting(self) -> Waiting | None:
        """Return the next in the spool that is not on its way; it stays in front of what was read ahead."""
        under_way = {message.id for message in self._under_way.values()} | set(self._done)
        while True:
            while self._ahead and self._ahead[0].id in under_way:
                self._replayed = self._ahead.popleft().id
            if self._ahead:
                return self._ahead[0]
            found = self._shelf.after(self._replayed, READ_AHEAD)
            if found is None:
                return None
            whole, garbled = found
            if garbled and self._shelf.remove(garbled):
                logger.error("%d messages of the spool are garbled, and dropped", len(garbled))
                self._drop("unknown", len(garbled))
            if not whole:
                self._all_replayed = True
                return None
            self._ahead.extend(whole)

    def _forget(self, now: float, everything: bool) -> None:
        """Delete from the disk what is acknowledged."""
        if self._done and (now >= self._forget_due or everything):
            if self._shelf.remove(self._done):
                self._done.clear()
            self._forget_due = now + FORGET_S

    def _number(self, last: int | None) -> None:
        """Put what came before the spool could be opened, for the first time, behind what it holds."""
        if last is None:
            return
        self._all_replayed = False
        if not self._numbered:
            self._numbered = True
            for message in {*self._fresh, *self._unsent, *self._under_way.values()}:
                message.id += last
            self._last_id += last

    def _lose(self, dropped: list[tuple[int, str]]) -> None:
        """Count what the spool has dropped, unless the client or memory has it."""
        if dropped:
            self._ahead.clear()
            safe = {m.id for m in (*self._under_way.values(), *self._unsent)} | set(self._done)
            for number, topic in dropped:
                if number not in safe:
                    self._drop(topic)

    def _drop(self, topic: str, count: int = 1) -> None:
        with self._lock:
            self._dropped[topic.partition("/")[0]] += count


def _parts(waiting: Waiting) -> tuple[int, str, int, bytes]:
    return waiting.id, waiting.topic, waiting.worth, waiting.payload
