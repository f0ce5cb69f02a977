"""The motion gate: why the detector runs for a frame, and for which ones it does not."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.detection.motion_gate import MISSING_S, MotionGate
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.motion import MotionSettings

FPS = 10
STILL: Image = np.full((240, 320, 3), 90, np.uint8)
MOVED = STILL.copy()
MOVED[100:140, 100:120] = 200
DARK: Image = np.full((240, 320, 3), 10, np.uint8)


class Watched:
    """A gate, and the frames that it is shown."""

    def __init__(self, **settings: float) -> None:
        self.gate = MotionGate(MotionSettings(**settings))
        self.frames = 0

    def look(self, image: Image = STILL, frames: int = 1) -> list[str | None]:
        found = []
        for _ in range(frames):
            found.append(self.gate.look(image, self.frames / FPS))
            self.frames += 1
        return list(found)


@pytest.fixture
def quiet() -> Watched:
    """A gate that is closed."""
    watched = Watched()
    assert watched.look(frames=22) == ["first"] + ["hold"] * 19 + [None] * 2
    return watched


def test_a_still_camera_is_detected_on_at_the_time_of_the_timer(quiet: Watched) -> None:
    seen = quiet.look(frames=105)
    assert [reason for reason in seen if reason] == ["timer"] * 4, "two frames each, as tracks need two"
    assert quiet.gate.gated == 103
    assert quiet.gate.detected == {"first": 1, "hold": 19, "timer": 4}


def test_the_first_frame_that_moves_is_detected_on_and_those_for_a_while_after_it(quiet: Watched) -> None:
    assert quiet.look(MOVED, 3) == ["motion"] * 3
    after = quiet.look(MOVED, 80)
    last = max(n for n, reason in enumerate(after) if reason == "motion")
    assert after[last + 1 : last + 21] == ["hold"] * 19 + [None]


def test_a_change_of_the_whole_picture_is_motion_of_its_own_kind(quiet: Watched) -> None:
    assert quiet.look(DARK, 2) == ["whole_picture", "hold"]


def test_a_break_and_a_clock_that_was_set_back_begin_again(quiet: Watched) -> None:
    quiet.frames += 600
    assert quiet.look() == ["first"]
    quiet.look(frames=30)
    quiet.frames -= 400
    assert quiet.look() == ["first"]


def test_a_missing_track_is_looked_for_and_a_new_one_is_detected_on_at_once(quiet: Watched) -> None:
    quiet.gate.recheck_s = MISSING_S
    seen = quiet.look(frames=20)
    assert seen.count("tracks") == 6
    assert set(seen) == {"tracks", None}
    quiet.gate.recheck_s = 0.0
    assert quiet.look(frames=3) == ["tracks"] * 3
    quiet.gate.recheck_s = None
    assert quiet.look(frames=4)[-3:] == [None] * 3


def test_a_detection_that_failed_is_repeated(quiet: Watched) -> None:
    assert quiet.look() == [None]
    quiet.gate.repeat()
    assert quiet.look(frames=2) == ["first", "hold"]


def test_a_change_of_the_size_is_detected_on(quiet: Watched) -> None:
    assert quiet.look(np.full((480, 640, 3), 90, np.uint8)) == ["whole_picture"]


def test_motion_in_a_mask_opens_no_gate() -> None:
    gate = MotionGate(MotionSettings(), [[(0.2, 0.3), (0.5, 0.3), (0.5, 0.7), (0.2, 0.7)]])
    for n in range(40):
        reason = gate.look(MOVED if n == 39 else STILL, n / FPS)
    assert reason is None
