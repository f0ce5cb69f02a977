"""Snapshot addresses: one picture an answer, requested again and again."""

from __future__ import annotations

from typing import Any

import pytest

from edgeagent.camera.capture import Camera
from edgeagent.camera.snapshot import PictureRequest
from edgeagent.camera.sources import open_source
from edgeagent.errors import CameraError
from edgeagent.settings.sections.camera import CameraSettings
from tests.camera.consumer import WAIT_S, frames_of
from tests.camera.media import number_of
from tests.camera.mjpeg_server import MjpegServer
from tests.camera.web_server import PictureServer


def settings(source: str, **changes: Any) -> CameraSettings:
    return CameraSettings(
        name="door", source=source, **{"retry_first": 0.02, "retry_longest": 0.1, "fps": 50.0, **changes}
    )


@pytest.mark.parametrize(
    ("content_type", "suffix"),
    [("image/jpeg", ".jpg"), ("image/png", ".png"), ("application/octet-stream", ".jpg")],
)
def test_a_snapshot_address_is_requested_again_and_again(content_type: str, suffix: str) -> None:
    with PictureServer(content_type, suffix) as server, Camera(settings(server.url)) as camera:
        numbers = [number_of(frame.image) for _, frame in zip(range(5), frames_of(camera), strict=False)]
        status = camera.status()
    assert numbers == sorted(set(numbers)), "each picture is a new one"
    assert (status.state, status.failures) == ("running", 0)


@pytest.mark.parametrize(("fps", "period"), [(None, 1.0), (0.5, 2.0), (4.0, 0.25)])
def test_fps_is_the_rate_of_requests(fps: float | None, period: float) -> None:
    with PictureServer() as server:
        source = open_source(settings(server.url, fps=fps))
        assert source.facts.live
        assert source.facts.poll_period == period
        assert server.requests == 1
        source.read(None)
        assert server.requests == 2
        source.close()


def test_a_snapshot_camera_is_lost_and_comes_back() -> None:
    with PictureServer() as server, Camera(settings(server.url)) as camera:
        assert camera.wait_for("running", timeout=WAIT_S)
        server.refusing.set()
        assert camera.wait_for("lost", timeout=WAIT_S)
        assert "answers 503" in (camera.status().last_error or "")
        server.refusing.clear()
        assert camera.wait_for("running", timeout=WAIT_S)


def test_damaged_snapshots_are_counted_and_then_a_loss() -> None:
    with PictureServer() as server:
        source = open_source(settings(server.url))
        server.damaged.set()
        with pytest.raises(CameraError, match="is truncated"):
            source.read(None)
        assert source.unreadable == 3
        server.damaged.clear()
        assert source.read(None) is not None


def test_the_password_of_the_url_is_sent_and_not_shown() -> None:
    with PictureServer(password="hunter 2") as server:
        url = server.url.replace("hunter 2", "hunter%202")
        source = open_source(settings(url))
        assert source.read(None) is not None
        with pytest.raises(CameraError, match="answers 401") as caught:
            PictureRequest(url.replace("hunter", "rabbit"), 5.0).send()
        assert "rabbit" not in str(caught.value)


def test_a_stream_is_no_snapshot() -> None:
    with MjpegServer() as server:
        assert not PictureRequest(server.url, 5.0).send().one_picture
