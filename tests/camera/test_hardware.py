"""Sources that need hardware or another OpenCV build: error messages where it is absent, and stand-ins."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import cv2
import numpy as np
import pytest

from edgeagent.camera.sources import open_source
from edgeagent.errors import CameraError
from edgeagent.settings.sections.camera import CameraSettings

GSTREAMER = cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER)


def camera(source: str | Path, **changes: Any) -> CameraSettings:
    return CameraSettings(name="camera", source=str(source), **changes)


def test_a_missing_device_is_named() -> None:
    with pytest.raises(CameraError, match=r"/dev/video97: no such device"):
        open_source(camera("97"))


def test_a_device_that_is_no_camera() -> None:
    with pytest.raises(CameraError, match="not a capture device"):
        open_source(camera("/dev/null"))


@pytest.mark.skipif(GSTREAMER, reason="this OpenCV has GStreamer")
def test_gstreamer_says_what_to_install() -> None:
    with pytest.raises(CameraError, match=r"without GStreamer.*apt install") as caught:
        open_source(camera("gstreamer:rtspsrc location=rtsp://u:secret@cam/x ! appsink"))
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(not GSTREAMER, reason="this OpenCV has no GStreamer, as no OpenCV wheel has")
@pytest.mark.parametrize("pixels", ["BGR", "BGRx", "GRAY8"])
def test_a_gstreamer_pipeline_gives_bgr_frames_into_the_buffer(pixels: str) -> None:
    caps = f"video/x-raw,format={pixels},width=64,height=48,framerate=20/1"
    source = open_source(camera(f"gstreamer:videotestsrc num-buffers=3 ! {caps} ! appsink"))
    assert source.facts.live
    assert source.facts.size == (64, 48)
    first = source.read(None)
    assert first is not None and first.shape == (48, 64, 3)
    assert source.read(first) is first
    assert source.read(first) is first
    with pytest.raises(CameraError, match="no more frames"):
        source.read(first)
    source.close()


@pytest.mark.skipif(not GSTREAMER, reason="this OpenCV has no GStreamer, as no OpenCV wheel has")
def test_a_gstreamer_pipeline_without_appsink_says_so() -> None:
    with pytest.raises(CameraError, match="must end in an appsink"):
        open_source(camera("gstreamer:videotestsrc ! fakesink"))


def test_picamera2_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="apt install python3-picamera2"):
        open_source(camera("picamera2:"))


class StandInPicamera2:
    """Stand-in for the used part of picamera2: one frame, then none."""

    made: list[StandInPicamera2] = []  # noqa: RUF012

    def __init__(self, number: int) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.frames = 1
        self.open_requests = 0
        self.closed = False
        self.made.append(self)

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, float]) -> dict[str, Any]:
        assert main["format"] == "RGB888"
        assert controls == {"FrameRate": 10.0}
        return {"main": main}

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = {"main": {**configuration["main"], "size": (32, 16)}}

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def start(self) -> None:
        assert self.configuration

    def capture_request(self, wait: float) -> StandInPicamera2:
        if self.frames == 0:
            raise TimeoutError
        self.frames -= 1
        self.open_requests += 1
        return self

    def release(self) -> None:
        self.open_requests -= 1

    def cancel_all_and_flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class StandInMappedArray:
    def __init__(self, request: StandInPicamera2, stream: str, write: bool) -> None:
        assert (stream, write) == ("main", False)
        self.array = np.full((16, 32, 3), (255, 0, 0), np.uint8)

    def __enter__(self) -> StandInMappedArray:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.array = np.zeros((0, 0, 3), np.uint8)


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[StandInPicamera2]:
    module = ModuleType("picamera2")
    module.Picamera2 = StandInPicamera2  # type: ignore[attr-defined]
    module.MappedArray = StandInMappedArray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(StandInPicamera2, "made", [])
    return StandInPicamera2


def test_picamera2_copies_frames_into_the_buffer_and_gives_requests_back(
    picamera2: type[StandInPicamera2],
) -> None:
    source = open_source(camera("picamera2:", width=40, height=20, fps=10))
    assert source.facts.live
    assert source.facts.size == (32, 16)
    buffer = np.zeros((16, 32, 3), np.uint8)
    assert source.read(buffer) is buffer
    assert buffer[0, 0].tolist() == [255, 0, 0]
    assert picamera2.made[0].open_requests == 0
    with pytest.raises(CameraError, match="sent nothing for 5 s"):
        source.read(buffer)
    source.close()
    assert picamera2.made[0].closed


def test_picamera2_without_a_camera(picamera2: type[StandInPicamera2]) -> None:
    with pytest.raises(CameraError, match="Raspberry Pi camera 1 cannot be opened"):
        open_source(camera("picamera2:1", fps=10))
