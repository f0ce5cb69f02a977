"""Frame buffers that cameras share."""

from __future__ import annotations

import numpy as np

from edgeagent.camera.frame_buffers import FrameBuffers
from edgeagent.camera.slot import FrameSlot

SMALL, LARGE = (2, 2, 3), (4, 4, 3)


def play(slot: FrameSlot, shape: tuple[int, ...] = SMALL) -> int:
    """Produce one frame, take and release it; return the address of its buffer."""
    buffer = slot.buffer()
    image = buffer if buffer is not None and buffer.shape == shape else np.zeros(shape, np.uint8)
    slot.put(image)
    frame = slot.take(0)
    assert frame is not None
    slot.release(frame)
    return id(frame.image)


def test_a_buffer_that_one_camera_has_returned_is_used_by_another() -> None:
    free = FrameBuffers()
    one, other = FrameSlot(free=free), FrameSlot(free=free)
    play(other)
    kept = {play(one) for _ in range(3)}
    assert play(other) in kept


def test_cameras_of_different_sizes_do_not_get_each_others_buffers() -> None:
    free = FrameBuffers()
    one, other = FrameSlot(free=free), FrameSlot(free=free)
    for _ in range(3):
        play(one, SMALL)
        play(other, LARGE)
    small, large = one.buffer(), other.buffer()
    assert small is not None and small.shape == SMALL
    assert large is not None and large.shape == LARGE


def test_buffers_are_freed_with_the_last_camera_of_their_size() -> None:
    free = FrameBuffers()
    one, other = FrameSlot(free=free), FrameSlot(free=free)
    play(one)
    play(other)
    one.close()
    kept = free.take(SMALL)
    assert kept is not None
    free.give(kept)
    other.close()
    assert free.take(SMALL) is None


def test_a_frame_that_is_released_after_closing_is_freed() -> None:
    free = FrameBuffers()
    slot = FrameSlot(free=free)
    slot.put(np.zeros(SMALL, np.uint8))
    frame = slot.take(0)
    assert frame is not None
    slot.close()
    slot.release(frame)
    assert free.take(SMALL) is None
