"""Action: a call of a web server, delivered at least once from a spool of its own.

::

    act -> inbox -> spool on the disk -> POST --2xx--> removed
                        ^                  |--400, 410, 413, 422: refused for good--> removed, told
                        +--pause, doubled--+--anything else, or no answer--> again, until it is too old

Each webhook has its threads, spool and pauses: a server that hangs holds up nothing else. One thread stores
and one calls, so that what happens during a call is on the disk, too. While the disk fails, calls wait in
memory.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Literal
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.settings.sections.actions import WebhookSettings
from edgeagent.telemetry.actions.action_event import DeliveredEvent
from edgeagent.telemetry.actions.signature import secret_bytes, signed_headers
from edgeagent.telemetry.contract.streams import HIGHEST
from edgeagent.telemetry.mqtt.fault_tolerant_spool import RETRY_S, FaultTolerantSpool
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage
from edgeagent.telemetry.timed_http import TIMED_POOLS
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

MOST_IN_MEMORY = 100
"""Calls that wait for the thread, or for a disk that fails; further ones are dropped."""
REFUSED = (400, 410, 413, 422)
"""Status codes that another attempt would not change."""

Outcome = Literal["delivered", "refused", "failed"]


class WebhookAction:
    """Webhook of one rule.

    Args:
        rule: name of the rule.
        settings: URL, secret and pauses.
        open_spool: opens its spool.

    Raises:
        ConfigurationError: the secret or the certificates cannot be read.
    """

    def __init__(self, rule: str, settings: WebhookSettings, open_spool: Callable[[], Spool]) -> None:
        self._rule, self._settings = rule, settings
        self._key: bytes | None = None
        if settings.secret_file is not None:
            self._key = secret_bytes(read_secret(settings.secret_file, f"the secret of webhook {rule}"))
        self._pool = _pool(settings)
        parts = urlsplit(settings.url)
        self._server = f"{parts.scheme}://{parts.netloc}"  # a path may be a secret
        self._inbox: SimpleQueue[DeliveredEvent | Outcome | None] = SimpleQueue()
        self._calls: SimpleQueue[SpooledMessage | None] = SimpleQueue()
        self._spool = FaultTolerantSpool(open_spool)
        self._memory: deque[tuple[float, SpooledMessage]] = deque()
        self._last = self._passed = 0
        self._unremoved: list[int] = []
        self._called: SpooledMessage | None = None
        self._from_memory = self._failing = False
        self._due_s = 0.0
        self._pauses = Backoff(settings.retry_first, settings.retry_longest)
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, f"webhook-{rule}")
        self._caller = GuardedThread(self._make_calls, f"calls-{rule}")

    def start(self) -> None:
        """Start the threads, which deliver what an earlier run has left."""
        self._thread.start()
        self._caller.start()

    def stop(self, timeout_s: float) -> None:
        """Store what has come, and stop; what is not delivered waits on the disk, also where a call hangs."""
        deadline = Deadline(timeout_s)
        self._calls.put(None)
        if self._caller.ident is not None:
            self._caller.join(timeout_s / 2)  # so that a call that ends now is not repeated
        self._inbox.put(None)
        if self._thread.ident is not None:
            self._thread.join(deadline.left_s)

    def act(self, event: DeliveredEvent) -> None:
        """Have the server called."""
        if self._inbox.qsize() >= MOST_IN_MEMORY:
            self._report("too many calls wait; further ones are dropped")
            return
        self._inbox.put(event)

    # The thread that stores

    def _run(self) -> None:
        while (come := self._next()) is not None:
            if isinstance(come, DeliveredEvent):
                self._store(come)
                if not self._failing:
                    self._due_s = 0.0
            elif self._called is not None:
                self._ended(self._called, come)
        self._spool.close()

    def _next(self) -> DeliveredEvent | Outcome | None:
        """Return what comes, None at a stop, and have calls made that are due until then."""
        while True:
            if self._called is None:
                self._open_spool()
                if time.monotonic() >= self._due_s:
                    self._begin_call()
            wait_s = None if self._called is not None else max(0.0, self._due_s - time.monotonic())
            try:
                return self._inbox.get(timeout=wait_s)
            except Empty:
                continue

    def _begin_call(self) -> None:
        self._called = self._oldest()
        if self._called is None:
            self._due_s = time.monotonic() + RETRY_S
        else:
            self._calls.put(self._called)

    def _ended(self, message: SpooledMessage, outcome: Outcome) -> None:
        self._called = None
        self._failing = outcome == "failed"
        if self._failing:
            self._due_s = time.monotonic() + self._pauses.next()
        else:
            self._remove(message)
            self._pauses.reset()
            self._due_s = 0.0

    def _open_spool(self) -> None:
        last = self._spool.open(time.monotonic())
        if last is not None:
            shift = last  # numbers follow those that an earlier run has left
            self._memory = deque(
                (since, SpooledMessage(m.id + shift, m.topic, m.priority, m.payload))
                for since, m in self._memory
            )
            self._last += shift
        if self._spool.usable and self._memory:
            self._count(self._spool.append([message for _, message in self._memory]))
            if self._spool.usable:
                self._memory.clear()

    def _store(self, event: DeliveredEvent) -> None:
        self._last += 1
        message = SpooledMessage(self._last, event.id, HIGHEST, event.payload())
        if self._spool.usable:
            evicted = self._spool.append([message])
            if evicted is not None:
                self._count(evicted)
                return
        self._memory.append((time.monotonic(), message))
        if len(self._memory) > MOST_IN_MEMORY:
            self._memory.popleft()
            self._report("too many calls wait in memory; the oldest are dropped")

    def _oldest(self) -> SpooledMessage | None:
        """Return the oldest call that is not too old."""
        while self._spool.usable:
            self._count(self._spool.append([]))  # evicts those that are too old
            found = self._spool.after(self._passed, 1)
            if found is None:
                break
            intact, corrupted = found
            if corrupted:
                self._spool.remove(corrupted)
                self._passed = max(self._passed, *corrupted)
            elif intact:
                self._from_memory = False
                return intact[0]
            else:
                return None
        oldest_s = time.monotonic() - self._settings.age
        while self._memory and self._memory[0][0] < oldest_s:
            self._memory.popleft()
            self._report("calls were given up, as they are too old")
        self._from_memory = True
        return self._memory[0][1] if self._memory else None

    def _remove(self, message: SpooledMessage) -> None:
        if self._from_memory:
            if self._memory and self._memory[0][1] is message:  # else dropped during the call
                self._memory.popleft()
            return
        self._passed = message.id
        self._unremoved.append(message.id)
        if self._spool.remove(self._unremoved):
            self._unremoved.clear()

    # The thread that calls

    def _make_calls(self) -> None:
        while (message := self._calls.get()) is not None:
            outcome: Outcome = "failed"
            try:
                outcome = self._call(message)
            finally:
                self._inbox.put(outcome)

    def _call(self, message: SpooledMessage) -> Outcome:
        headers = {
            "content-type": "application/json",
            "user-agent": "edgeagent",
            **signed_headers(self._key, message.topic, int(time.time()), message.payload),
        }
        try:
            answer = self._pool.request(
                "POST",
                self._settings.url,
                body=message.payload,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            answer.close()
        except (HTTPError, OSError) as error:
            self._report(f"{self._server} cannot be called ({type(error).__name__}); trying again")
            return "failed"
        if 200 <= answer.status < 300:
            return "delivered"
        if answer.status in REFUSED:
            self._report(f"{self._server} refuses a call with {answer.status}; it is given up")
            return "refused"
        self._report(f"{self._server} answers {answer.status}; trying again")
        return "failed"

    def _count(self, evicted: list[tuple[int, str]] | None) -> None:
        if evicted:
            self._report("calls were given up, as they are too old or too many")

    def _report(self, text: str) -> None:
        if self._repeats.allows(text, time.monotonic()):
            logger.warning("action %s: %s", self._rule, text)


def _pool(settings: WebhookSettings) -> urllib3.PoolManager:
    trust = None
    if settings.url.lower().startswith("https"):
        ca = settings.ca
        try:
            trust = ssl.create_default_context(cafile=None if ca is None else str(ca))
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(f"{ca}: cannot be used as certificates ({error.strerror})") from None
    timeout = urllib3.Timeout(connect=settings.timeout, read=settings.timeout)
    pool = urllib3.PoolManager(num_pools=1, timeout=timeout, ssl_context=trust)
    pool.pool_classes_by_scheme = TIMED_POOLS
    return pool
