"""Frame sources: frames read and error messages."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import cv2
import pytest

from edgeagent.camera.clip import ClipSource
from edgeagent.camera.folder import FolderSource
from edgeagent.camera.opencv import DeviceSource, GStreamerSource
from edgeagent.camera.picamera2 import Picamera2Source
from edgeagent.camera.source import AwaitedSource, FrameSource
from edgeagent.camera.sources import choose_source, open_source, source_kind
from edgeagent.camera.stream import StreamSource
from edgeagent.errors import CameraError, ConfigurationError
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.camera import CameraSettings
from tests.camera.media import encode, grey, number_of, write_clip, write_pictures

OPENCV = tuple(int(part) for part in cv2.__version__.split(".")[:2])


def camera(source: str | Path, **changes: Any) -> CameraSettings:
    return CameraSettings(name="camera", source=str(source), **changes)


def read_all(source: FrameSource) -> list[Image]:
    """Return all frames of a file, each read into the buffer of the last one, like the slot."""
    source.open()
    images: list[Image] = []
    into: Image | None = None
    while (image := source.read(into)) is not None:
        into = image
        images.append(image.copy())
    source.close()
    return images


# Choosing


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", "device"),
        ("/dev/video2", "device"),
        ("/dev/v4l/by-id/usb-camera", "device"),
        ("rtsp://cam/live", "stream"),
        ("RTSPS://cam/live", "stream"),
        ("https://cam/live.m3u8", "stream"),
        ("gstreamer:videotestsrc ! appsink", "gstreamer"),
        ("picamera2:", "picamera2"),
        ("picamera2:1", "picamera2"),
        ("clips/door.mp4", "path"),
        ("take 2: door.mp4", "path"),
    ],
)
def test_kind_of_source(source: str, kind: str) -> None:
    assert source_kind(source) == kind


@pytest.mark.parametrize("source", ["ftp://u:secret@cam/x", "picamera2:left", "foo+bar://x"])
def test_unknown_schemes_are_configuration_errors(source: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        choose_source(camera("0").model_copy(update={"source": source}))  # not from a file
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("source", ["0", "rtsp://cam/live", "gstreamer:x", "picamera2:1"])
def test_choosing_opens_nothing(source: str) -> None:
    expected = {"0": DeviceSource, "r": StreamSource, "g": GStreamerSource, "p": Picamera2Source}
    assert isinstance(choose_source(camera(source)), expected[source[0]])


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"nowhere\.mp4: No such file"):
        open_source(camera(tmp_path / "nowhere.mp4"))


def test_one_picture_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encode(grey(3)))
    images = read_all(choose_source(camera(tmp_path / "one.png")))
    assert [number_of(image) for image in images] == [3]


# Clips


@pytest.mark.parametrize(("name", "fourcc"), [("clip.avi", "MJPG"), ("clip.mp4", "mp4v")])
def test_a_clip_gives_all_frames_in_order_with_time_stamps(tmp_path: Path, name: str, fourcc: str) -> None:
    source = open_source(camera(write_clip(tmp_path / name, frames=12, fps=20, fourcc=fourcc)))
    assert source.facts.live is False
    assert source.facts.fps == pytest.approx(20)
    assert source.facts.size == (64, 48)
    buffer = source.read(None)
    assert buffer is not None
    numbers, positions = [number_of(buffer)], [source.position]
    while (image := source.read(buffer)) is not None:
        assert image is buffer
        numbers.append(number_of(image))
        positions.append(source.position)
    source.close()
    assert numbers == list(range(12))
    assert positions == pytest.approx([number / 20 for number in range(12)])


def test_a_frame_that_was_awaited_is_the_next_one_and_the_end_is_told(tmp_path: Path) -> None:
    source = open_source(camera(write_clip(tmp_path / "clip.avi", frames=3, fps=20, fourcc="MJPG")))
    assert isinstance(source, AwaitedSource)
    buffer = source.read(None)
    assert buffer is not None
    assert source.await_frame()
    assert source.await_frame(), "the same frame"
    assert source.position == pytest.approx(1 / 20)
    image = source.read(buffer)
    assert image is buffer
    assert number_of(buffer) == 1
    assert source.read(buffer) is buffer, "awaiting is a choice"
    assert not source.await_frame()
    assert source.read(buffer) is None
    source.open()
    assert source.await_frame()
    assert number_of(source.read(buffer)) == 0  # type: ignore[arg-type]
    source.close()


def test_a_clip_can_be_opened_again_after_its_end(tmp_path: Path) -> None:
    source = ClipSource(write_clip(tmp_path / "clip.avi", frames=3))
    assert len(read_all(source)) == len(read_all(source)) == 3


def test_a_damaged_frame_of_a_clip_is_left_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", frames=12)
    data, start = path.read_bytes(), 0
    for _ in range(6):
        start = data.index(b"\xff\xd8\xff", start + 1)
    path.write_bytes(data[:start] + bytes(200) + data[start + 200 :])
    source = ClipSource(path)
    assert [number_of(image) for image in read_all(source)] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert source.unreadable == 1


def test_a_named_pipe_without_a_writer_is_given_up_after_the_open_timeout(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.avi")
    with pytest.raises(CameraError, match=r"pipe\.avi: nobody writes to it for 0\.1 s"):
        open_source(camera(tmp_path / "pipe.avi", open_timeout=0.1))


def test_a_named_pipe_is_played_as_it_is_written(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.avi", frames=6).read_bytes()
    os.mkfifo(tmp_path / "pipe.avi")
    writer = threading.Thread(target=(tmp_path / "pipe.avi").write_bytes, args=(data,), daemon=True)
    writer.start()
    source = choose_source(camera(tmp_path / "pipe.avi"))
    assert [number_of(image) for image in read_all(source)] == list(range(6))
    writer.join()


def test_a_writer_that_stalls_is_a_loss(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.avi", frames=30).read_bytes()
    path = tmp_path / "pipe.avi"
    os.mkfifo(path)
    ends: list[int] = []

    def write() -> None:
        ends.append(os.open(path, os.O_WRONLY))
        os.write(ends[0], data[: len(data) // 2])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    source = choose_source(camera(path, open_timeout=0.5))
    with pytest.raises(CameraError, match=r"sent nothing for 0\.5 s"):
        read_all(source)
    source.close()
    writer.join()
    os.close(ends[0])


@pytest.mark.parametrize(
    "name",
    [b"h\xf6f.avi", "höf.avi".encode(), b"a:b.avi", b"http:x.avi", b"100%03d.avi", b"-x.avi", b"a b'c.avi"],
    ids=["not UTF-8", "UTF-8", "colon", "protocol", "percent", "dash", "blank"],
)
def test_any_file_name_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    write_clip(tmp_path / "clip.avi", frames=3).rename(tmp_path / os.fsdecode(name))
    settings = camera("x").model_copy(update={"source": os.fsdecode(name)})
    monkeypatch.chdir(tmp_path)
    assert [number_of(image) for image in read_all(choose_source(settings))] == [0, 1, 2]


@pytest.mark.parametrize(("name", "fourcc"), [("cut.avi", "MJPG"), ("cut.mp4", "mp4v")])
def test_a_truncated_clip_is_an_error_or_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, fourcc: str
) -> None:
    path = write_clip(tmp_path / name, frames=30, fourcc=fourcc)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if fourcc == "mp4v":  # the index is at the end of the file
        with pytest.raises(CameraError, match=r"cut\.mp4 cannot be played.*its index is missing"):
            open_source(camera(path))
        return
    source = choose_source(camera(path))
    assert 0 < len(read_all(source)) < 27
    read_all(source)
    assert len([record for record in caplog.records if "truncated or damaged" in record.message]) == 1


@pytest.mark.parametrize("content", [b"", b"this is no video" * 500])
def test_what_is_no_clip_is_a_camera_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"clip\.mp4 cannot be played"):
        open_source(camera(path))


def test_a_clip_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(CameraError, match="Permission denied"):
        open_source(camera(path))


@pytest.mark.skipif(OPENCV < (4, 13), reason="before OpenCV 4.13 the picture freezes at the change")
def test_opencv_scales_a_clip_that_changes_size_to_its_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "changing.mjpeg"
    pictures = [encode(grey(number, (64, 48)), ".jpg") for number in range(4)]
    pictures += [encode(grey(number, (128, 64)), ".jpg") for number in range(4, 8)]
    path.write_bytes(b"".join(pictures))
    images = read_all(choose_source(camera(path)))
    assert [number_of(image) for image in images] == list(range(8))
    assert {image.shape for image in images} == {(48, 64, 3)}


# Folders


def test_a_folder_gives_pictures_by_name_and_leaves_out_the_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path, 4)
    (tmp_path / "001.png").write_bytes(b"broken")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / os.fsdecode(b"000\xff.PNG")).write_bytes(encode(grey(9)))
    (tmp_path / "sub.png").mkdir()
    source = FolderSource(tmp_path, fps=2)
    for _ in range(2):
        assert [number_of(image) for image in read_all(source)] == [0, 9, 2, 3]
    assert source.unreadable == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "001.png cannot be decoded" in caplog.text


def test_pictures_of_a_folder_may_differ_in_size(tmp_path: Path) -> None:
    sizes = [(64, 48), (32, 32), (64, 48)]
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.png").write_bytes(encode(grey(number, size)))
    images = read_all(FolderSource(tmp_path))
    assert [(image.shape[1], image.shape[0]) for image in images] == sizes
    assert [number_of(image) for image in images] == [0, 1, 2]


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"holds no pictures \(\.bmp"):
        open_source(camera(tmp_path))


def test_a_folder_with_none_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"broken")
    (tmp_path / "b.jpg").write_bytes(b"")
    source = open_source(camera(tmp_path))
    with pytest.raises(CameraError, match="none of the 2 pictures"):
        source.read(None)


def test_positions_follow_the_configured_rate(tmp_path: Path) -> None:
    source = open_source(camera(write_pictures(tmp_path, 3), fps=4))
    positions = []
    while source.read(None) is not None:
        positions.append(source.position)
    assert positions == [0.0, 0.25, 0.5]
