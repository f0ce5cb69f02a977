"""Latest-frame slot: the newest frame wins, no allocation, held frames stay intact."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edgeagent.camera.slot import BUFFERS, MOST_HELD, FrameSlot
from edgeagent.imaging.frame import Frame, Image
from tests.camera.consumer import WAIT_S

SMALL = (4, 6, 3)
LARGE = (8, 10, 3)


def produce(slot: FrameSlot, value: int, shape: tuple[int, ...] = SMALL, *, wait: bool = False) -> Image:
    """Write and put one frame like a source."""
    image = slot.buffer()
    if image is None or image.shape != shape:
        image = np.empty(shape, np.uint8)
    image[:] = value
    slot.put(image, wait=wait)
    return image


def test_newest_frame_wins_and_the_others_count_as_dropped() -> None:
    slot = FrameSlot()
    for value in range(5):
        produce(slot, value)
    frame = slot.take(0)
    assert frame is not None
    assert frame.image[0, 0, 0] == 4
    assert frame.sequence == 4
    assert (slot.captured, slot.dropped) == (5, 4)
    assert slot.last_captured_ns == frame.captured_ns
    assert slot.take(0) is None


def test_a_steady_stream_allocates_no_more_buffers_than_the_slot_has() -> None:
    slot = FrameSlot(buffers=4)
    buffers = set()
    held: list[Frame] = []
    for value in range(100):
        buffers.add(id(produce(slot, value)))
        if value % 3 == 0:
            frame = slot.take(0)
            assert frame is not None
            held.append(frame)
        if len(held) == 2:
            slot.release(held.pop(0))
    assert len(buffers) <= 4


def test_two_held_frames_stay_as_they_are() -> None:
    slot = FrameSlot()
    produce(slot, 1)
    first = slot.take(0)
    produce(slot, 2)
    second = slot.take(0)
    for value in range(3, 20):
        produce(slot, value)
    newest = slot.take(0)
    assert first is not None and second is not None and newest is not None
    assert [int(frame.image.max()) for frame in (first, second, newest)] == [1, 2, 19]
    assert slot.dropped == 16


def test_when_the_consumer_holds_all_it_may_new_frames_are_dropped_without_allocation() -> None:
    slot = FrameSlot(buffers=3)
    held = []
    for value in (1, 2):
        produce(slot, value)
        held.append(slot.take(0))
    writing = {id(produce(slot, value)) for value in (3, 4, 5)}
    assert len(writing) == 1
    assert slot.take(0) is None
    assert slot.dropped == 3
    assert held[0] is not None
    slot.release(held[0])
    produce(slot, 6)
    frame = slot.take(0)
    assert frame is not None and frame.image.max() == 6


def test_the_newest_frame_is_pending_while_the_consumer_holds_its_share() -> None:
    slot = FrameSlot()
    assert BUFFERS == MOST_HELD + 2
    for value in range(MOST_HELD):
        produce(slot, value)
        assert slot.take(0) is not None
    for value in range(MOST_HELD, MOST_HELD + 3):
        produce(slot, value)
    newest = slot.take(0)
    assert newest is not None and newest.image.max() == MOST_HELD + 2
    assert slot.dropped == 2


def test_frame_size_may_change_while_frames_are_held() -> None:
    slot = FrameSlot()
    produce(slot, 1, SMALL)
    small = slot.take(0)
    produce(slot, 2, LARGE)
    large = slot.take(0)
    assert small is not None and large is not None
    assert (small.image.shape, large.image.shape) == (SMALL, LARGE)
    slot.release(small)
    slot.release(large)
    buffers = {id(produce(slot, value, LARGE)) for value in range(20)}
    assert len(buffers) <= 4


@pytest.mark.parametrize("again", ["same slot", "other slot"])
def test_releasing_what_is_not_held_is_an_error(again: str) -> None:
    slot, other = FrameSlot(), FrameSlot()
    produce(slot, 1)
    produce(other, 1)
    frame = slot.take(0)
    assert frame is not None and other.take(0) is not None
    slot.release(frame)
    with pytest.raises(ValueError, match="not held"):
        (slot if again == "same slot" else other).release(frame)


def test_waiting_producer_drops_nothing() -> None:
    slot = FrameSlot(buffers=2)
    count = 200

    def run() -> None:
        for value in range(count):
            produce(slot, value, wait=True)
        slot.close()

    thread = threading.Thread(target=run)
    thread.start()
    seen = []
    while (frame := slot.take(WAIT_S)) is not None:
        seen.append(int(frame.image[0, 0, 0]))
        slot.release(frame)
    thread.join(WAIT_S)
    assert seen == list(range(count))
    assert (slot.captured, slot.dropped) == (count, 0)


def test_closing_wakes_a_waiting_consumer() -> None:
    slot = FrameSlot()
    taken: list[Frame | None] = []
    thread = threading.Thread(target=lambda: taken.append(slot.take()))
    thread.start()
    slot.close()
    thread.join(WAIT_S)
    assert taken == [None]


def test_closing_wakes_a_waiting_producer_and_leaves_the_pending_frame() -> None:
    slot = FrameSlot()
    produce(slot, 1)
    accepted: list[bool] = []
    thread = threading.Thread(target=lambda: accepted.append(slot.put(np.zeros(SMALL, np.uint8), wait=True)))
    thread.start()
    slot.close()
    thread.join(WAIT_S)
    assert accepted == [False]
    frame = slot.take(0)
    assert frame is not None and frame.image.max() == 1
    assert slot.take() is None
    assert slot.captured == 1
    slot.release(frame)


def test_on_frame_is_called_for_each_pending_frame_and_for_closing() -> None:
    calls = []
    slot = FrameSlot(on_frame=lambda: calls.append(slot.closed))
    produce(slot, 1)
    produce(slot, 2)
    slot.close()
    assert calls == [False, False, True]


def test_one_buffer_is_too_few() -> None:
    with pytest.raises(ValueError, match="2 buffers"):
        FrameSlot(buffers=1)


class SlotMachine(RuleBasedStateMachine):
    """Any order of producing, taking and releasing keeps held frames intact and counts correct."""

    BUFFERS = 4

    def __init__(self) -> None:
        super().__init__()
        self.slot = FrameSlot(buffers=self.BUFFERS)
        self.value = 0
        self.newest: int | None = None
        self.taken = 0
        self.held: list[tuple[Frame, int]] = []

    @rule(shape=st.sampled_from([SMALL, SMALL, SMALL, LARGE]))
    def produce(self, shape: tuple[int, ...]) -> None:
        self.value = (self.value + 1) % 251
        image = produce(self.slot, self.value, shape)
        assert all(image is not frame.image for frame, _ in self.held)
        if len(self.held) < self.BUFFERS - 1:
            self.newest = self.value

    @rule()
    def take(self) -> None:
        frame = self.slot.take(0)
        assert (frame is None) == (self.newest is None)
        if frame is not None and self.newest is not None:
            assert frame.image.max() == self.newest
            self.held.append((frame, self.newest))
            self.taken += 1
            self.newest = None

    @precondition(lambda self: bool(self.held))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        frame, _ = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.slot.release(frame)

    @invariant()
    def held_frames_are_intact(self) -> None:
        for frame, value in self.held:
            assert frame.image.min() == frame.image.max() == value

    @invariant()
    def counts_add_up(self) -> None:
        assert self.slot.captured == self.taken + self.slot.dropped + (self.newest is not None)


SlotMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSlotMachine = SlotMachine.TestCase
