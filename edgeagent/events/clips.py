"""Clips: video of each reported object, with what was before and after it, as MP4 on the disk.

::

    camera -> packets (a thread and connection of their own) -> ring of the newest ones, in memory
    `new` of an object -> clip from the key frame before `before` on
    thread: every CHECK_S what is new in the ring -> file below the folder, within its bounds
    `end` of the object -> `after` later the file gets its name -> on_clip

The frame path only posts a request. A disk that cannot follow costs clips: the ring goes on, and a clip with
a gap is given up.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.errors import EdgeagentError
from edgeagent.events.clip_recording import ClipRecording
from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.retained_files import Bounds, RetainedFiles
from edgeagent.settings.sections.clips import ClipSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

NAMES = re.compile(r"\d+\.\d{6}-\d+\.mp4")
"""Names of clips: the id of an object."""
CHECK_S, IDLE_S = 0.25, 600.0
"""Seconds between two looks at the rings while clips are recorded, and after which old clips are removed."""
MOST_AT_ONCE = 8
"""Most clips of all cameras that are recorded at once."""
LATEST_S = 5.0
"""Seconds after a clip should be finished from which on nobody waits for it."""

OnClip = Callable[[str, str | None], None]
"""Called with the id of an object and the name of its clip; None where it has none."""


class Clips:
    """Records clips of objects.

    Args:
        settings: of clips.
        folder: of the files.
        rings: packets of each camera that has clips.
        on_clip: called once for each object that was promised a clip, in the thread.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        settings: ClipSettings,
        folder: Path,
        rings: Mapping[str, PacketRing],
        on_clip: OnClip = lambda object_id, name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._rings, self._on_clip, self._clock = settings, rings, on_clip, clock
        bounds = Bounds(settings.keep_age, settings.keep_size, settings.keep_free)
        self._files = RetainedFiles(folder, NAMES, bounds)
        self._requests: SimpleQueue[ObjectEvent | None] = SimpleQueue()
        self._recordings: dict[str, ClipRecording] = {}
        self._promised: set[str] = set()
        self._written: dict[str, str] = {}
        self._lock = threading.Lock()
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, "clips")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Finish all clips with what there is, and stop the thread."""
        self._requests.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def event(self, event: ObjectEvent) -> None:
        """Begin or end the clip of an object; never waits."""
        if event.what == "new" and self._wanted(event):
            with self._lock:
                if len(self._promised) >= MOST_AT_ONCE:
                    self._report(f"more than {MOST_AT_ONCE} objects at once; further ones have no clip")
                    return
                self._promised.add(event.id)
            self._requests.put(event)
        elif event.what == "end" and event.id in self._promised:
            self._requests.put(event)

    def is_recording(self, object_id: str) -> bool:
        """Return whether ``on_clip`` will be called for an object."""
        with self._lock:
            return object_id in self._promised

    def take_name(self, object_id: str) -> str | None:
        """Return the name of the finished clip of an object once; None where it has none."""
        with self._lock:
            return self._written.pop(object_id, None)

    def _wanted(self, event: ObjectEvent) -> bool:
        labels = self._settings.labels
        return event.camera in self._rings and (not labels or event.now.label in labels)

    def _run(self) -> None:
        wait_s = 0.0
        while True:
            try:
                request = self._requests.get(timeout=wait_s)
            except Empty:
                self._record()
                more = self._files.remove_old()
                wait_s = CHECK_S if more or self._recordings else IDLE_S
                continue
            if request is None:
                for object_id in list(self._recordings):
                    self._finish(object_id)
                return
            self._accept(request)
            wait_s = CHECK_S

    def _accept(self, event: ObjectEvent) -> None:
        if event.what == "new":
            ring = self._rings[event.camera]
            begin_s = event.began_s - self._settings.before
            name = f"{event.camera}/{event.id}.mp4"
            recording = ClipRecording(self._files, name, ring, begin_s, self._settings.longest)
            self._recordings[event.id] = recording
        elif event.id in self._recordings:
            self._recordings[event.id].end(event.now.time_s + self._settings.after)

    def _record(self) -> None:
        """Write what is new in the rings."""
        for object_id, recording in list(self._recordings.items()):
            try:
                over = recording.record(self._clock())
            except EdgeagentError as error:
                self._report(str(error))
                self._drop(object_id)
                continue
            if over:
                self._finish(object_id)

    def _finish(self, object_id: str) -> None:
        """Finish a clip with what there is."""
        recording = self._recordings.pop(object_id)
        try:
            written = recording.finish()
        except EdgeagentError as error:
            self._report(str(error))
            written = False
        self._tell(object_id, recording.name if written else None)

    def _drop(self, object_id: str) -> None:
        self._recordings.pop(object_id).discard()
        self._tell(object_id, None)

    def _tell(self, object_id: str, name: str | None) -> None:
        with self._lock:
            self._promised.discard(object_id)
            if name is not None:
                self._written[object_id] = name
                while len(self._written) > 4 * MOST_AT_ONCE:  # of objects whose end was told without it
                    self._written.pop(next(iter(self._written)))
        self._on_clip(object_id, name)

    def _report(self, text: str) -> None:
        if self._repeats.allows(text, time.monotonic()):
            logger.error("clips: %s", text)
