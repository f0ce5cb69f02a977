"""Decoders: what OpenCV is asked for, the trial of each in its own process, and what the one in use costs."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from edgeagent.camera import decoder_trial
from edgeagent.camera.capture_options import FFMPEG_OPTIONS, capture_options
from edgeagent.camera.clip import ClipSource
from edgeagent.camera.decoder_sample import StreamSample, record_sample
from edgeagent.camera.decoder_trial import Decoded, check_decoded, decode_sample, try_decoder
from edgeagent.camera.decoders import (
    CANDIDATES,
    SOFTWARE,
    DecoderCandidate,
    find_decoder,
    opening,
    possible_decoders,
)
from edgeagent.camera.stream import StreamSource
from edgeagent.errors import CameraError
from edgeagent.files.resources import sample_clip
from tests.camera.media import write_clip

WAIT_S = 60.0


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> StreamSample:
    """The first packets of the included clip."""
    return record_sample(str(sample_clip()), tmp_path_factory.mktemp("sample") / "sample", 5.0, packets=20)


@pytest.fixture(scope="module")
def right(sample: StreamSample) -> Decoded:
    return try_decoder(sample, SOFTWARE)


def test_a_sample_holds_the_packets_of_the_stream(sample: StreamSample, right: Decoded) -> None:
    assert (sample.codec, sample.size, sample.packets) == ("h264", (768, 576), 20)
    assert sample.path.suffix == ".h264"
    assert (right.frames, right.size) == (20, (768, 576))
    assert right.cpu_ms > 0


def test_a_stream_that_cannot_be_opened_gives_no_sample(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="cannot be opened a second time"):
        record_sample(str(tmp_path / "missing.mp4"), tmp_path / "sample", 1.0)


def test_a_decoder_that_is_asked_for_by_name_is_as_right_as_the_software(
    sample: StreamSample, right: Decoded
) -> None:
    """FFmpeg's own decoder of H.264, asked for as those of hardware are."""
    named = DecoderCandidate("v4l2m2m", "codec", "{codec}")
    found = decode_sample(sample.path, sample.codec, named)
    assert check_decoded(found, right) is None
    assert FFMPEG_OPTIONS not in os.environ


@pytest.mark.parametrize("name", ["vaapi", "drm", "v4l2m2m", "nvdec", "va-gstreamer"])
def test_hardware_that_is_not_there_fails_and_costs_nothing_else(sample: StreamSample, name: str) -> None:
    if any(one.name == name and not obstacle for one, obstacle in possible_decoders("h264")):
        pytest.skip(f"this machine may have {name}")
    with pytest.raises(CameraError, match="OpenCV cannot open it"):
        try_decoder(sample, find_decoder(name))


@pytest.mark.parametrize(
    ("code", "timeout_s", "text"),
    [
        ("import time; time.sleep(60)", 0.3, "it hangs: no end after 0.3 s"),
        ("import os; os.kill(os.getpid(), 11)", WAIT_S, "crashed with signal 11"),
        ("raise SystemExit(3)", WAIT_S, "ended with 3 and no answer"),
        ("print('{}')", WAIT_S, "ended with 0 and no answer"),
        ("print('[1]')", WAIT_S, "ended with 0 and no answer"),
    ],
)
def test_a_decoder_that_hangs_or_crashes_is_a_failure(
    sample: StreamSample, monkeypatch: pytest.MonkeyPatch, code: str, timeout_s: float, text: str
) -> None:
    monkeypatch.setattr(decoder_trial, "PROCESS", ("-c", code))
    with pytest.raises(CameraError, match=text):
        try_decoder(sample, SOFTWARE, timeout_s)


def test_pictures_that_are_not_those_of_the_software_are_refused(tmp_path: Path, right: Decoded) -> None:
    assert check_decoded(right, right) is None
    assert "not 768 x 576" in str(check_decoded(replace(right, size=(384, 288)), right))
    assert check_decoded(replace(right, frames=10), right) == "it gives 10 of 20 pictures"
    other = decode_sample(write_clip(tmp_path / "grey.avi", 20, size=(768, 576)), "mjpeg", SOFTWARE)
    assert "grey levels" in str(check_decoded(other, right))


def test_what_opencv_is_asked_for() -> None:
    assert opening(SOFTWARE, "rtsp://a/b", "h264").backend == cv2.CAP_FFMPEG
    vaapi = opening(find_decoder("vaapi"), "rtsp://a/b", "h264")
    assert vaapi.parameters == {cv2.CAP_PROP_HW_ACCELERATION: cv2.VIDEO_ACCELERATION_VAAPI}
    memory = opening(find_decoder("v4l2m2m"), "rtsp://a/b", "hevc")
    assert memory.options == "rtsp_flags;prefer_tcp|video_codec;hevc_v4l2m2m"
    jetson = opening(find_decoder("nvv4l2-gstreamer"), 'rtsp://u:p"w@a/b', "hevc")
    assert jetson.backend == cv2.CAP_GSTREAMER
    assert 'location="rtsp://u:p\\"w@a/b"' in jetson.target
    assert "rtph265depay ! h265parse ! nvv4l2decoder" in jetson.target
    assert jetson.target.endswith("appsink drop=true max-buffers=1 sync=false")
    file = opening(find_decoder("v4l2-gstreamer"), "file:/tmp/a b.h264", "h264")
    assert file.target.startswith('filesrc location="/tmp/a b.h264" ! h264parse ! v4l2h264dec')


def test_what_a_board_cannot_have_is_not_tried(tmp_path: Path) -> None:
    assert {reason for _, reason in possible_decoders("mjpeg", tmp_path)} == {
        "no hardware decoder is listed for mjpeg"
    }
    assert all(str(reason).startswith("no /dev/") for _, reason in possible_decoders("h264", tmp_path))
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "dev/dri/renderD128").touch()
    found = {one.name: reason for one, reason in possible_decoders("h264", tmp_path)}
    assert len(found) == len(CANDIDATES)
    assert found["vaapi"] is None
    assert found["nvdec"] == "no /dev/nvidia0"
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        assert found["va-gstreamer"] == "this OpenCV has no GStreamer"


def test_a_source_names_its_decoder_and_what_it_costs() -> None:
    source = ClipSource(sample_clip(), threads=1)
    assert source.decoding is None
    source.open()
    for _ in range(5):
        source.read(None)
    decoding = source.decoding
    source.close()
    assert decoding is not None
    assert (decoding.codec, decoding.decoder, decoding.library) == ("h264", "software", "FFmpeg")
    assert not decoding.hardware
    assert decoding.cpu_ms is not None and decoding.cpu_ms > 0


def test_with_threads_of_its_own_the_cost_of_a_decoder_is_unknown() -> None:
    source = ClipSource(sample_clip())
    source.open()
    source.read(None)
    decoding = source.decoding
    source.close()
    assert decoding is not None
    assert decoding.cpu_ms is None


def test_a_decoder_that_does_not_open_a_stream_any_more_leaves_it_to_the_software() -> None:
    source = StreamSource(str(sample_clip()), 5.0, 5.0, (find_decoder("vaapi"), "h264"))
    source.open()
    decoding = source.decoding
    source.close()
    assert decoding is not None
    assert decoding.decoder in ("software", "vaapi")


def test_options_of_one_source_are_not_those_of_another() -> None:
    seen, entered, done = [], threading.Event(), threading.Event()

    def other() -> None:
        entered.set()
        with capture_options(None):
            seen.append(os.environ.get(FFMPEG_OPTIONS))
        done.set()

    with capture_options("video_codec;h264_v4l2m2m"):
        assert os.environ[FFMPEG_OPTIONS] == "video_codec;h264_v4l2m2m"
        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(WAIT_S)
        assert not done.wait(0.05)
    assert done.wait(WAIT_S)
    thread.join(WAIT_S)
    assert seen == [None]
    with capture_options(None), capture_options(None):
        pass  # side by side


def test_options_of_the_environment_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FFMPEG_OPTIONS, "rtsp_transport;udp")
    with capture_options("a;b"):
        assert os.environ[FFMPEG_OPTIONS] == "a;b"
    assert os.environ[FFMPEG_OPTIONS] == "rtsp_transport;udp"
