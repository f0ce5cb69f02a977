"""Camera capture: the thread that opens a frame source, reads it at its pace and reconnects after a loss.

::

    opening --first frame--> running --end of file--> ended
       |                      |   ^
       +-----open failed------+   +--first frame
                  |               |
                  v               |
                 lost ------------+   unlimited attempts, exponential back-off; at once when the port of
                                       a network camera answers again

Stopping a camera also ends in ``ended``.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable

from edgeagent.camera.decoding import Decoding, DecodingSource
from edgeagent.camera.frame_buffers import FrameBuffers
from edgeagent.camera.pace import Pacer
from edgeagent.camera.patience import Patience
from edgeagent.camera.port import PROBE_EVERY_S, port_of
from edgeagent.camera.rate import FrameRate
from edgeagent.camera.slot import FrameSlot
from edgeagent.camera.source import AwaitedSource, FrameSource
from edgeagent.camera.sources import ChosenDecoder, open_source, source_kind
from edgeagent.camera.status import CameraState, CameraStatus
from edgeagent.errors import CameraError
from edgeagent.files.naming import redact
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import LONGEST_S, GuardedThread
from edgeagent.timing.progress import UNLIMITED_S, Progress
from edgeagent.timing.repeat_limit import RepeatLimit

log = logging.getLogger(__name__)

OnChange = Callable[[str, CameraState, str], None]

READS_IN_A_ROW = 4  # that may each take the time-out before a source gives up
STILL_LOST = "still lost"
DECODING_EVERY = 32  # frames between two looks at what decoding costs


class Camera:
    """Configured camera with its thread and its frame slot; can be started once.

    Frames are delivered in :attr:`slot`, which is closed when the camera has ended.

    Args:
        settings: source, pace and retries.
        on_frame: see :class:`FrameSlot`; several cameras can share one to be waited for together.
        on_change: called with (name, state, message) on every change of state.
        free: free frame buffers, shared with other cameras; None shares none.
        decoder: returns the decoder of a camera before its source is opened, in its thread; may take minutes.

    Attributes:
        slot: exchange of frames.
        progress: of the thread, for the watchdog.

    Raises:
        ConfigurationError: the source string is malformed.
    """

    def __init__(
        self,
        settings: CameraSettings,
        *,
        on_frame: Callable[[], None] | None = None,
        on_change: OnChange | None = None,
        free: FrameBuffers | None = None,
        decoder: Callable[[CameraSettings], ChosenDecoder | None] = lambda settings: None,
    ) -> None:
        source_kind(settings.source)
        self.settings = settings
        self._on_change, self._choose_decoder = on_change, decoder
        self.slot = FrameSlot(on_frame=on_frame, free=free)
        self.progress = Progress(f"camera {settings.name}")
        self._source_name = redact(settings.source)
        self._thread = GuardedThread(self._run, f"camera-{settings.name}")
        self._stopping = threading.Event()
        self._backoff = Backoff(settings.retry_first, settings.retry_longest)
        self._port = port_of(settings.source)
        self._patience = Patience(settings.read_timeout)
        self._changed = threading.Condition()
        self._state: CameraState = "opening"
        self._rate = FrameRate()
        self._running_since = 0.0
        self._lost_since = 0.0
        self._reconnects = 0
        self._failures = 0
        self._unreadable = 0
        self._unreadable_before = 0  # of the sources before the present one
        self._size: tuple[int, int] | None = None
        self._last_error: str | None = None
        self._decoding: Decoding | None = None
        self._repeats, self._told = RepeatLimit(), False

    @property
    def name(self) -> str:
        """Configured name."""
        return self.settings.name

    @property
    def state(self) -> CameraState:
        """Current state; see the module."""
        return self._state

    def status(self) -> CameraStatus:
        """Return a snapshot; safe to call from any thread."""
        with self._changed:
            running = self._state == "running"
            return CameraStatus(
                state=self._state,
                fps=self._rate.per_second(time.monotonic_ns()) if running else 0.0,
                captured=self.slot.captured,
                dropped=self.slot.dropped,
                reconnects=self._reconnects,
                failures=self._failures,
                unreadable=self._unreadable,
                size=self._size,
                last_frame_ns=self.slot.last_captured_ns,
                last_error=self._last_error,
                decoding=self._decoding if running else None,
            )

    def wait_for(self, *states: CameraState, timeout: float | None = None) -> bool:
        """Wait until the camera is in one of ``states``; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state in states, timeout)

    def start(self) -> None:
        """Start the thread and return; the thread opens the source."""
        # A thread that returns from OpenCV during interpreter shutdown aborts the process.
        atexit.register(self.stop)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """Stop reading, close the slot and join the thread.

        Args:
            timeout: seconds to wait for the thread.

        Returns:
            False when the thread is blocked in the source. It then ends and releases the camera after the
            open or read timeout of the source; another call waits again.
        """
        self._stopping.set()
        self.slot.close()
        with self._changed:
            self._set_state("ended")
        atexit.unregister(self.stop)
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        if self._thread.is_alive():
            log.warning("camera %s: blocked in %s; it ends with its timeout", self.name, self._source_name)
            return False
        return True

    def __enter__(self) -> Camera:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # The camera's thread

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                delay = self._open_and_play()
                if delay is None:
                    break
                self._pause(delay)
            self._end()
        except Exception as error:  # a bug, not a camera failure; the thread opens the source again
            self._record_failure(error)
            self.progress.expect(LONGEST_S, "waiting after an internal error")
            raise
        self.slot.close()
        self.progress.expect(UNLIMITED_S, "ended")

    def _open_and_play(self) -> float | None:
        """Open the source and read it; return seconds until the next attempt, None at the end or on stop."""
        source: FrameSource | None = None
        try:
            timeout = self._patience.seconds
            self.progress.expect(LONGEST_S, "choosing a decoder")
            decoder = self._choose_decoder(self.settings)
            self.progress.expect(self.settings.open_timeout + timeout, "opening the source")
            source = open_source(self.settings.model_copy(update={"read_timeout": timeout}), decoder)
            pacer = None
            if not source.facts.live and self.settings.pace == "clock":
                pacer = Pacer(source.facts.fps)
            while self._play(source, pacer) and self.settings.loop:
                self.progress.expect(self.settings.open_timeout + timeout, "opening the source again")
                source.close()
                source.open()
        except CameraError as error:
            return self._record_failure(error)  # before closing, which can block on a disconnected camera
        finally:
            if source is not None:
                self._unreadable_before = self._unreadable
                self.progress.expect(self.settings.open_timeout, "closing the source")
                source.close()
        return None

    def _pause(self, delay: float) -> None:
        """Wait for the next attempt, or until the port of the camera answers again."""
        end = time.monotonic() + delay
        self.progress.expect(delay, "waiting to open the lost source again")
        while (left := end - time.monotonic()) > 0:
            if self._port is not None and left > PROBE_EVERY_S and self._port.has_returned():
                self._backoff.reset()
                return
            if self._stopping.wait(min(PROBE_EVERY_S, left)):
                return

    def _play(self, source: FrameSource, pacer: Pacer | None) -> bool:
        """Read to the end of the source; False when stopped before it."""
        every_frame = not source.facts.live and pacer is None
        poll_period, due = source.facts.poll_period, time.monotonic()
        longest_s = READS_IN_A_ROW * self._patience.seconds
        while not self._stopping.is_set():
            if poll_period is not None:
                wait_s = max(0.0, due - time.monotonic())
                self.progress.expect(wait_s, "waiting for the next request")
                if self._stopping.wait(wait_s):
                    return False
                due = max(due, time.monotonic()) + poll_period
            self.progress.expect(longest_s, "reading a frame")
            came = isinstance(source, AwaitedSource) and source.await_frame()
            if came and not self._keep_pace(source, pacer):
                return False
            image = source.read(self.slot.buffer())
            self._unreadable = self._unreadable_before + source.unreadable
            if image is None:
                return True
            if not came and not self._keep_pace(source, pacer):
                return False
            self._record_frame(image, source)
            if every_frame:
                self.progress.expect(UNLIMITED_S, "waiting for the detector")
            if not self.slot.put(image, wait=every_frame):
                return False
        return False

    def _keep_pace(self, source: FrameSource, pacer: Pacer | None) -> bool:
        """Wait for the time of a frame that has come; False when stopped before it."""
        if pacer is None:
            return True
        now = time.monotonic()
        wait_s = max(0.0, pacer.due(source.position, now) - now)
        self.progress.expect(wait_s, "waiting for the time of the frame")
        return not self._stopping.wait(wait_s)

    def _record_frame(self, image: Image, source: FrameSource) -> None:
        height, width = image.shape[:2]
        with self._changed:
            before = self._state
            self._rate.add(time.monotonic_ns())
            self._patience.frame(time.monotonic())
            self._size = (width, height)
            if before != "running" or self.slot.captured % DECODING_EVERY == 0:
                self._decoding = source.decoding if isinstance(source, DecodingSource) else None
            if before == "running" or not self._set_state("running"):
                return
            self._running_since = time.monotonic()
            if before == "lost":
                self._reconnects += 1
        away = f", back after {self._running_since - self._lost_since:.1f} s" if before == "lost" else ""
        text = f"running, {width}x{height} from {self._source_name}{away}"
        log.log(logging.INFO if self._told or not away else logging.DEBUG, "camera %s: %s", self.name, text)
        self._notify("running", text)

    def _record_failure(self, error: Exception) -> float:
        """Record a loss or a failed attempt; return the seconds until the next attempt."""
        now = time.monotonic()
        with self._changed:
            before = self._state
            if before == "ended":
                return 0.0
            self._failures += 1
            self._last_error = str(error) if isinstance(error, CameraError) else repr(error)
            # A camera that is lost again shortly after a reconnect keeps its delay.
            if before == "running" and now - self._running_since >= self._backoff.current:
                self._backoff.reset()
            if before != "lost":
                self._lost_since = now
            self._rate.reset()
            self._patience.lost(now)
            self._set_state("lost")
        if before == "running":
            self._repeats.worked(now - self._running_since)
        reminder_due = self._repeats.allows(STILL_LOST, now)  # one line for a loss, whatever its attempts say
        due = reminder_due if before == "lost" else self._repeats.allows(self._last_error or "", now)
        level = logging.WARNING if due else logging.DEBUG
        if before != "lost":
            self._told = due
            text = "camera %s: lost: %s; trying again until it is back"
            log.log(level, text, self.name, self._last_error)
            self._notify("lost", self._last_error)
        else:
            self._told = self._told or due
            away_s = now - self._lost_since
            log.log(level, "camera %s: still lost after %.0f s: %s", self.name, away_s, self._last_error)
        return self._backoff.next()

    def _end(self) -> None:
        with self._changed:
            ended = self._set_state("ended")
        if ended:
            log.info("camera %s: %s has ended", self.name, self._source_name)
            self._notify("ended", f"{self._source_name} has ended")

    def _notify(self, state: CameraState, text: str) -> None:
        if self._on_change is not None:
            self._on_change(self.name, state, text)

    def _set_state(self, state: CameraState) -> bool:
        """Change the state (lock held); False when the camera has already ended."""
        if self._state == "ended":
            return False
        self._state = state
        self._changed.notify_all()
        return True
