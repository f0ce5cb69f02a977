"""Waiting requests of all protocols, and the one detector that they wait for.

::

    submit() --fewer than size wait--> waiting --its turn--> detected --> deliver(Detections)
       |                                  |                     +-------> deliver(NotNowError): engine failed
       |                                  +--longest_wait_s passed, or stop()--> deliver(NotNowError)
       +--else--> NotNowError

    now() --nothing waits, the detector is idle--> detected in the calling thread
      +--else--> None

One thread at a time calls the detector: that of this object, or the caller of ``now``, which saves two
changes of thread. A client that gave up leaves its request behind; the limit of the wait keeps the engine
from working for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from edgeagent.errors import EdgeagentError
from edgeagent.imaging.frame import Image
from edgeagent.serve.errors import NotNowError
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)

QUEUE_SIZE = 8
LONGEST_WAIT_S = 1.0

Answer = Detections | EdgeagentError
DeliverAnswer = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request that waits: its picture, who gets the answer, and the monotonic time of its arrival (s)."""

    picture: Image
    deliver: DeliverAnswer
    arrived_s: float = field(default_factory=time.monotonic)


class InferenceQueue:
    """Bounded queue of pictures before one thread.

    Args:
        detect: returns the detections of a picture; called by one thread at a time.
        size: requests that may wait, beside the one that is being answered.
        longest_wait_s: seconds after which a request that still waits is given up.
    """

    def __init__(
        self,
        detect: Callable[[Image], Detections],
        size: int = QUEUE_SIZE,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._detect, self._size, self._longest_wait_s = detect, size, longest_wait_s
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._busy = self._stopping = False
        self._thread = GuardedThread(self._run, "inference", vital=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def now(self, picture: Image) -> Answer | None:
        """Return the answer for a picture at once where nothing waits and the detector is idle, else None."""
        with self._changed:
            if self._waiting or self._busy or self._stopping:
                return None
            self._busy = True
        return self._answer(picture)

    def submit(self, picture: Image, deliver: DeliverAnswer) -> None:
        """Let a picture wait for the detector.

        Args:
            picture: (height, width, 3) uint8; it must stay as it is until the answer.
            deliver: called once, in the thread of this object, with the detections or with an error.

        Raises:
            NotNowError: as many requests as may wait already do, or the server ends.
        """
        with self._changed:
            if self._stopping:
                raise NotNowError("the server ends")
            if len(self._waiting) >= self._size:
                raise NotNowError(f"{self._size} requests wait already; send fewer at a time")
            self._waiting.append(_Waiting(picture, deliver))
            self._changed.notify()

    def stop(self, timeout_s: float) -> None:
        """Give up what waits and end the thread, waiting ``timeout_s`` at most."""
        with self._changed:
            self._stopping = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        for one in left:
            one.deliver(NotNowError("the server ends"))
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or (self._waiting and not self._busy))
                if self._stopping:
                    return
                one = self._waiting.popleft()
                waited_s = time.monotonic() - one.arrived_s
                late = waited_s > self._longest_wait_s
                self._busy = not late
            if late:
                one.deliver(NotNowError(f"the engine had no time for the request within {waited_s:.1f} s"))
            else:
                one.deliver(self._answer(one.picture))

    def _answer(self, picture: Image) -> Answer:
        """Return the answer for a picture; the detector was taken by the caller and is free afterwards."""
        try:
            return self._detect(picture)
        except EdgeagentError as error:
            return error
        except Exception:
            logger.exception("detection failed; report this as a bug of edgeagent")
            return NotNowError("detection failed; the log has the reason")
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify()
