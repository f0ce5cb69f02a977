"""Sends hard frames from the disk, each at least once, oldest first.

::

    kept (thread of the keeper) -> name into the journal on the disk
    thread: oldest name -> JSON, then JPEG --both taken--> out of the journal, pause `every`
                   ^                |--refused for good, or removed by its bounds--> out of it, told
                   +--back-off------+--anything else--> again

The frames themselves stay where the keeper has put them: the bounds of that folder bound what waits, too. A
frame that goes before it is sent is told in the log. While the disk fails, names wait in memory.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.telemetry.contract.streams import LOWEST
from edgeagent.telemetry.frame_upload.frame_target import FrameTarget
from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

JOURNAL = "frame-upload.db"
JOURNAL_SIZE = 2_000_000
"""Most bytes of the names that wait; beyond it the oldest are given up."""
MOST_IN_MEMORY = 1000
LOOK_S = 60.0
"""Longest time until the journal is looked at again."""


class FrameUploader:
    """Uploader of one device.

    Args:
        device: its name, the first part of every name.
        folder: of the hard frames.
        settings: of the upload.
        target: that they are sent to.
        open_journal: opens the journal of names that wait.
    """

    def __init__(
        self,
        device: str,
        folder: Path,
        settings: FrameUploadSettings,
        target: FrameTarget,
        open_journal: Callable[[], Spool],
    ) -> None:
        self._device, self._folder, self._settings, self._target = device, folder, settings, target
        self._lock = threading.Lock()  # of the journal, never held while something is sent
        self._journal, self._last = FaultTolerantSpool(open_journal), 0
        self._memory: deque[str] = deque(maxlen=MOST_IN_MEMORY)
        self._passed = 0
        self._unremoved: list[int] = []
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._pauses = Backoff(settings.retry_first, settings.retry_longest)
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, "frame-upload")

    def start(self) -> None:
        """Start the thread, which sends what an earlier run has left."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop; what is not sent waits on the disk, also where sending hangs."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            with self._lock:
                self._journal.close()

    def kept(self, picture: Path) -> None:
        """Have a picture sent; its name is in the journal when this returns. Never waits for the network."""
        name = f"{picture.parent.name}/{picture.stem}"
        with self._lock:
            self._open()
            if not self._journal.usable or not self._append([name]):
                self._memory.append(name)
        self._wake.set()

    def _open(self) -> None:
        last = self._journal.open(time.monotonic())
        if last is not None:
            self._last = max(self._last, last)
        if self._journal.usable and self._memory and self._append(list(self._memory)):
            self._memory.clear()

    def _append(self, names: list[str]) -> bool:
        messages = []
        for name in names:
            self._last += 1
            messages.append(SpooledMessage(self._last, name, LOWEST, b""))
        evicted = self._journal.append(messages)
        if evicted:
            self._report("frames are given up, as they are too old or too many wait")
        return evicted is not None

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            oldest = self._oldest()
            if oldest is None:
                self._wake.wait(LOOK_S)
            elif self._send(oldest.topic):
                self._remove(oldest.id)
                self._pauses.reset()
                self._stopping.wait(self._settings.every)
            else:
                self._stopping.wait(self._pauses.next())

    def _oldest(self) -> SpooledMessage | None:
        with self._lock:
            self._open()
            if not self._journal.usable:
                return None
            self._append([])  # evicts those that are too old
            found = self._journal.after(self._passed, 1)
            if found is None:
                return None
            intact, corrupted = found
            if corrupted:
                self._journal.remove(corrupted)
                self._passed = max(self._passed, *corrupted)
                self._wake.set()
            return intact[0] if intact else None

    def _remove(self, number: int) -> None:
        with self._lock:
            self._passed = number
            self._unremoved.append(number)
            if self._journal.remove(self._unremoved):
                self._unremoved.clear()

    def _send(self, name: str) -> bool:
        """Send a frame; return whether it is done with."""
        picture = self._folder / f"{name}.jpg"
        try:
            parts = (
                (".json", picture.with_suffix(".json").read_bytes(), "application/json"),
                (".jpg", picture.read_bytes(), "image/jpeg"),
            )
        except OSError as error:
            self._report(f"a frame cannot be read any more ({error.strerror}); it is given up")
            return True
        for suffix, content, kind in parts:
            outcome, reason = self._target.send(f"{self._device}/{name}{suffix}", content, kind)
            if outcome == "failed":
                self._report(f"{self._target.place} {reason}; trying again")
                return False
            if outcome == "refused":
                self._report(f"{self._target.place} {reason}; the frame is given up")
                return True
        return True

    def _report(self, text: str) -> None:
        if self._repeats.allows(text, time.monotonic()):
            logger.warning("hard frames: %s", text)
