"""What doctor says about decoders."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import cv2

from edgeagent.daemon.decoder_choice import FILE, KeptChoice
from edgeagent.doctor.decoders import check_decoders
from edgeagent.doctor.finding import ExaminedSystem
from tests.doctor.trees import configured, without_actions


def test_a_board_without_hardware(tmp_path: Path) -> None:
    assert without_actions(check_decoders(ExaminedSystem(tmp_path))) == [
        ("hardware decoders", "not there", "no device of a decoder that is known")
    ]


def test_a_device_that_opencv_cannot_use_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "dev/dri/renderD128").touch()
    found = {one.about: one for one in check_decoders(ExaminedSystem(tmp_path))}
    assert found["decoder vaapi"].verdict == "ok"
    assert "decoder nvdec" not in found
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        assert found["decoder va-gstreamer"].found == "this OpenCV has no GStreamer"


def test_the_software_and_what_was_chosen_are_named_with_their_costs(tmp_path: Path) -> None:
    choice = KeptChoice(
        "", "", "auto", "hevc", (1920, 1080), "vaapi", {"software": "9 ms", "vaapi": "2 ms"}, {"vaapi": 2.0}
    )
    (tmp_path / FILE).write_text(json.dumps({"yard": asdict(choice)}))
    camera = {"name": "yard", "source": "rtsp://10.0.0.7/s", "decoder": "auto"}
    settings = configured(cameras=[camera], state=str(tmp_path))
    found = {one.about: one for one in check_decoders(ExaminedSystem(settings=settings))}
    software = found["decoder software"]
    assert software.verdict == "ok"
    assert software.found.startswith("FFmpeg, h264 768x576: ")
    assert software.found.endswith(" ms of a processor")
    assert found["decoder of camera yard"].found == "vaapi decodes hevc 1920x1080: 2 ms (software: 9 ms)"
