"""Packets of cameras: sources that have none, files by the clock, a real RTSP camera that is killed."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.camera.packets import PacketStream, packet_source
from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.camera import CameraSettings
from tests.broker import PATIENCE
from tests.camera.media import write_clip
from tests.camera.packets import write_stream
from tests.camera.test_rtsp import RtspServer, gstreamer  # noqa: F401 - a fixture


def camera(source: str, **more: object) -> CameraSettings:
    return CameraSettings.model_validate(
        {
            "name": "yard",
            "source": source,
            "open_timeout": 10.0,
            "retry_first": 0.2,
            "retry_longest": 0.2,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("/dev/video0", "one reader"),
        ("picamera2:", "without their encoded stream"),
        ("gstreamer:videotestsrc ! appsink", "without their encoded stream"),
        ("picture.jpg", "played by the clock"),
    ],
)
def test_a_source_without_packets_is_refused(source: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"camera yard: source .*{words}.*clip_source"):
        packet_source(camera(source))
    assert packet_source(camera(source, clip_source="rtsp://camera.local/main")) == "rtsp://camera.local/main"


def test_a_password_is_not_in_the_refusal() -> None:
    with pytest.raises(ConfigurationError) as refused:
        packet_source(camera("gstreamer:rtspsrc location=rtsp://u:geheim@h ! appsink"))
    assert "geheim" not in str(refused.value)


def wait_for(ring: PacketRing, packets: int, connection: int = 1) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(ring.after(connection, 0).packets) < packets:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_is_read_by_the_clock_and_ends(tmp_path: Path) -> None:
    ring = PacketRing(60, 10**7)
    stream = PacketStream(camera(str(write_stream(tmp_path / "a.mp4", 15))), ring)
    stream.start()
    wait_for(ring, 15)
    packets = ring.after(1, 0).packets
    assert packets[0].key and packets[-1].at_s - packets[0].at_s > 1.0
    stream.stop(PATIENCE)
    assert ring.after(1, 0).over


def test_what_is_no_video_is_told_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing" * 100)
    ring = PacketRing(60, 10**7)
    stream = PacketStream(camera(str(path)), ring)
    stream.start()
    deadline = time.monotonic() + PATIENCE
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.05)
    write_stream(tmp_path / "b.mp4", 5).replace(path)
    wait_for(ring, 5)
    stream.stop(PATIENCE)
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1


def test_a_codec_that_clips_cannot_hold_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_clip(tmp_path / "a.avi", fourcc="FFV1")
    stream = PacketStream(camera(str(path)), PacketRing(60, 10**7))
    stream.start()
    deadline = time.monotonic() + PATIENCE
    while "ffv1" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.05)
    stream.stop(PATIENCE)
    assert "sends ffv1, which a clip cannot hold" in caplog.text


@pytest.mark.usefixtures("gstreamer")
def test_a_network_camera_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    server = RtspServer()
    server.start()
    ring = PacketRing(60, 10**7)
    url = f"rtsp://127.0.0.1:{server.port}/live"
    stream = PacketStream(camera("/dev/video0", clip_source=url), ring)
    try:
        stream.start()
        wait_for(ring, 25)
        server.kill()
        deadline = time.monotonic() + PATIENCE
        while not ring.after(1, 0).over:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.start()
        wait_for(ring, 5, connection=2)
    finally:
        stream.stop(PATIENCE)
        server.kill()
    assert "trying again" in caplog.text
