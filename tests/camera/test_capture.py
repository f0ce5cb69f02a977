"""Camera thread on files: pace, end, loop, sizes, several cameras."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edgeagent.camera.capture import Camera
from edgeagent.settings.sections.camera import CameraSettings
from tests.camera.consumer import WAIT_S, frames_of
from tests.camera.media import encode, grey, number_of, write_clip, write_pictures


def settings(source: str | Path, **changes: Any) -> CameraSettings:
    return CameraSettings(
        name="door", source=str(source), **{"retry_first": 0.02, "retry_longest": 0.1, **changes}
    )


# Files


def test_unthrottled_gives_every_frame_and_ends(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=30)
    with Camera(settings(clip, pace="unthrottled")) as camera:
        frames = [(frame.sequence, number_of(frame.image)) for frame in frames_of(camera)]
        assert frames == [(number, number) for number in range(30)]
        assert camera.wait_for("ended", timeout=WAIT_S)
        status = camera.status()
    assert (status.state, status.fps, status.captured, status.dropped) == ("ended", 0.0, 30, 0)
    assert (status.reconnects, status.failures, status.last_error) == (0, 0, None)
    assert status.size == (64, 48)


def test_unthrottled_clip_is_read_into_the_slots_buffers(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=30)
    with Camera(settings(clip, pace="unthrottled")) as camera:
        addresses = {frame.image.ctypes.data for frame in frames_of(camera)}
    assert len(addresses) <= 4


def test_the_clock_paces_a_clip_by_its_own_rate(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=12, fps=20)
    begun = time.monotonic_ns()
    with Camera(settings(clip)) as camera:
        *_, last = ((frame.sequence, frame.captured_ns) for frame in frames_of(camera))
    # it is due 11 periods after the first and never earlier; the delay depends on the machine's load
    assert last[0] == 11
    assert (last[1] - begun) / 1e9 >= 11 / 20


def test_a_slow_consumer_of_a_paced_clip_loses_frames_but_gets_the_newest(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=10, fps=50)
    with Camera(settings(clip)) as camera:
        assert camera.wait_for("ended", timeout=WAIT_S)
        frames = [number_of(frame.image) for frame in frames_of(camera)]
        status = camera.status()
    assert frames == [9]
    assert (status.captured, status.dropped) == (10, 9)


@pytest.mark.parametrize("pace", ["unthrottled", "clock"])
def test_a_loop_starts_again_at_the_end(tmp_path: Path, pace: str) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=3, fps=50)
    with Camera(settings(clip, pace=pace, loop=True)) as camera:
        numbers: list[int] = []
        for frame in frames_of(camera):
            numbers.append(number_of(frame.image))
            if frame.sequence >= 10:
                break
        assert camera.state == "running"
        assert camera.status().failures == 0
    assert set(numbers) <= {0, 1, 2}
    if pace == "unthrottled":
        assert numbers == [number % 3 for number in range(11)]


def test_a_folder_with_sizes_that_change_and_a_broken_picture(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 6)
    (folder / "002.png").write_bytes(b"broken")
    (folder / "003.png").write_bytes(encode(grey(3, (128, 96))))
    with Camera(settings(folder, pace="unthrottled")) as camera:
        frames = [(number_of(frame.image), frame.image.shape) for frame in frames_of(camera)]
        status = camera.status()
    small, large = (48, 64, 3), (96, 128, 3)
    assert frames == [(0, small), (1, small), (3, large), (4, small), (5, small)]
    assert status.unreadable == 1


def test_the_size_of_a_looped_file_may_change_in_mid_stream(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=2)
    large = write_clip(tmp_path / "large.avi", frames=2, size=(128, 96))
    sizes = []
    with Camera(settings(clip, pace="unthrottled", loop=True)) as camera:
        for frame in frames_of(camera):
            sizes.append((frame.image.shape[1], frame.image.shape[0]))
            if len(sizes) == 2:
                large.replace(clip)
            if sizes.count((128, 96)) == 4:
                break
        assert camera.status().size == (128, 96)
    assert sizes[0] == (64, 48)


def test_two_frames_may_be_held_at_once(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=30)
    with Camera(settings(clip, pace="unthrottled")) as camera:
        before = camera.slot.take(WAIT_S)
        while (frame := camera.slot.take(WAIT_S)) is not None:
            assert before is not None
            assert number_of(before.image) == before.sequence
            camera.slot.release(before)
            before = frame


# Several cameras


def test_one_consumer_waits_for_several_cameras(tmp_path: Path) -> None:
    arrived = threading.Condition()
    news: list[None] = []

    def on_frame() -> None:
        with arrived:
            news.append(None)
            arrived.notify()

    cameras = [
        Camera(
            settings(write_clip(tmp_path / f"{count}.avi", frames=count), pace="unthrottled"),
            on_frame=on_frame,
        )
        for count in (5, 9, 14)
    ]
    seen: list[list[int]] = [[], [], []]
    for camera in cameras:
        camera.start()
    while True:
        news.clear()
        closed = all(camera.slot.closed for camera in cameras)
        taken = 0
        for camera, numbers in zip(cameras, seen, strict=True):
            if (frame := camera.slot.take(0)) is not None:
                numbers.append(number_of(frame.image))
                camera.slot.release(frame)
                taken += 1
        if taken == 0 and closed:
            break
        if taken == 0:
            with arrived:
                assert arrived.wait_for(lambda: news, WAIT_S)
    assert seen == [list(range(5)), list(range(9)), list(range(14))]
    assert all(camera.stop() for camera in cameras)
