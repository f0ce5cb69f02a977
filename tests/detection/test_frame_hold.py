"""Frames wait while a candidate is timed, and never for longer than the limit."""

from __future__ import annotations

import threading

from edgeagent.detection.frame_hold import FrameHold

PATIENCE = 60.0


def test_frames_pass_when_nothing_is_held_and_after_a_hold() -> None:
    frames = FrameHold()
    frames.wait()
    with frames.hold(PATIENCE):
        passed = threading.Event()

        def pass_on() -> None:
            frames.wait()
            passed.set()

        thread = threading.Thread(target=pass_on)
        thread.start()
        assert not passed.wait(0.05)
    assert passed.wait(PATIENCE)
    thread.join(PATIENCE)


def test_a_hold_ends_by_itself() -> None:
    frames = FrameHold()
    with frames.hold(0.01):
        frames.wait()


def test_a_stop_releases_frames() -> None:
    frames = FrameHold()
    with frames.hold(PATIENCE):
        frames.release()
        frames.wait()
