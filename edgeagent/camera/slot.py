"""Latest-frame slot between a camera's thread and the detector: a new frame replaces the pending one.

The slot owns a few buffers of one frame each. A buffer is free, being written by the producer, pending in the
slot, or held by the consumer::

    free -> buffer() -> producer writes -> put() -> pending -> take() -> held -> release() -> free
                                                       |
                                                       +--> overwritten by the next put(): dropped

Sources allocate buffers on first use and reuse them, so a stream of one frame size allocates nothing. Free
buffers are shared by all cameras (:mod:`edgeagent.camera.frame_buffers`). After a change of size the old
buffers are freed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgeagent.camera.frame_buffers import FrameBuffers
from edgeagent.imaging.frame import Frame, Image

MOST_HELD = 4
"""Frames that a consumer may hold and still find the newest one pending."""
BUFFERS = MOST_HELD + 2
"""Buffers of a slot: those held, one pending, one being written; each is allocated when first needed."""


class FrameSlot:
    """Exchange of frames between one producer thread and one consumer, which may use several threads.

    Args:
        buffers: frames in memory at most, 2 or more. A consumer that holds up to ``buffers - 2`` frames
            always finds the newest one pending. It may hold ``buffers - 1``; then new frames are dropped
            until it releases one.
        on_frame: called after a frame has become pending and after closing, in the producer's or the
            closing thread. It lets one consumer wait for several slots on one event. It must be quick
            and must not raise.
        free: free buffers, shared with the slots of other cameras; None shares none.
    """

    def __init__(
        self,
        *,
        buffers: int = BUFFERS,
        on_frame: Callable[[], None] | None = None,
        free: FrameBuffers | None = None,
    ) -> None:
        if buffers < 2:
            raise ValueError("a slot needs 2 buffers or more")
        self._limit = buffers
        self._on_frame = on_frame
        self._changed = threading.Condition()
        self._free = free or FrameBuffers()
        self._writing: Image | None = None
        self._pending: Frame | None = None
        self._held: dict[int, Frame] = {}
        self._shape: tuple[int, ...] | None = None
        self._captured = 0
        self._dropped = 0
        self._last_captured_ns: int | None = None
        self._closed = False

    # Producer

    def buffer(self) -> Image | None:
        """Return the buffer for the next frame; None asks the producer to allocate one."""
        with self._changed:
            if self._writing is None and self._shape is not None:
                self._writing = self._free.take(self._shape)
            return self._writing

    def put(self, image: Image, *, wait: bool = False) -> bool:
        """Make a frame the pending one. Ownership of ``image`` passes to the slot.

        Args:
            image: (height, width, 3) uint8, BGR: the array from :meth:`buffer`, or a new one.
            wait: wait until the pending frame was taken, so that none is dropped.

        Returns:
            False when the slot is closed; the frame is then not counted.
        """
        with self._changed:
            if image is not self._writing:
                self._writing = image
            if image.shape != self._shape and not self._closed:
                self._free.change(self._shape, image.shape)
                self._shape = image.shape
            if wait:
                self._changed.wait_for(lambda: self._closed or (self._pending is None and self._has_spare()))
            if self._closed:
                return False
            sequence = self._captured
            self._captured += 1
            self._last_captured_ns = time.monotonic_ns()
            if self._pending is not None:
                self._dropped += 1
                self._recycle(self._pending.image)
                self._pending = None
            if not self._has_spare():
                self._dropped += 1
                return True
            self._pending = Frame(image, sequence, self._last_captured_ns, time.time())
            self._writing = None
            self._changed.notify_all()
        if self._on_frame is not None:
            self._on_frame()
        return True

    # Consumer

    def take(self, timeout: float | None = None) -> Frame | None:
        """Take the pending frame. Return it with :meth:`release`.

        Args:
            timeout: seconds to wait for a frame; 0 does not wait, None waits until closing.

        Returns:
            The frame; None after the timeout, or when the slot is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pending is not None, timeout)
            frame = self._pending
            if frame is not None:
                self._pending = None
                self._held[frame.sequence] = frame
                self._changed.notify_all()
            return frame

    def release(self, frame: Frame) -> None:
        """Return the buffer of a taken frame; its image must not be used afterwards.

        Raises:
            ValueError: the frame is not held: released twice, or from another slot.
        """
        with self._changed:
            if self._held.get(frame.sequence) is not frame:
                raise ValueError(f"frame {frame.sequence} is not held: released twice, or of another camera")
            del self._held[frame.sequence]
            self._recycle(frame.image)
            self._changed.notify_all()

    # Both

    def close(self) -> None:
        """End the stream and wake all waiting threads; a pending frame can still be taken."""
        with self._changed:
            if not self._closed:
                self._free.change(self._shape, None)
            self._closed = True
            self._changed.notify_all()
        if self._on_frame is not None:
            self._on_frame()

    @property
    def closed(self) -> bool:
        """Whether the stream has ended; a frame may still be pending."""
        return self._closed

    @property
    def waiting(self) -> bool:
        """Whether a frame is pending."""
        return self._pending is not None

    @property
    def captured(self) -> int:
        """Number of frames put, including dropped ones."""
        return self._captured

    @property
    def dropped(self) -> int:
        """Number of frames never taken: overwritten, or put while all buffers were held."""
        return self._dropped

    @property
    def last_captured_ns(self) -> int | None:
        """``captured_ns`` of the last frame put, dropped or not; None before the first."""
        return self._last_captured_ns

    # Lock held

    def _has_spare(self) -> bool:
        """Whether the producer still has a buffer after the written one becomes pending."""
        return len(self._held) + 1 < self._limit

    def _recycle(self, image: Image) -> None:
        if image.shape == self._shape and not self._closed:
            self._free.give(image)
