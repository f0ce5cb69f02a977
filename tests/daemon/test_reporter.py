"""Messages assembled from real parts."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest

from edgeagent.bundle.reading import open_bundle
from edgeagent.camera.capture import Camera
from edgeagent.daemon.detection_messages import build_detections
from edgeagent.daemon.device_watch import DeviceWatch
from edgeagent.daemon.info_message import build_info
from edgeagent.daemon.object_watch import ObjectWatch
from edgeagent.daemon.reporter import CameraCounters, TelemetryReporter
from edgeagent.detection.frame_result import STAGES
from edgeagent.detection.motion_gate import MotionGate
from edgeagent.engines.engine import EngineFacts
from edgeagent.imaging.frame import Frame
from edgeagent.settings.sections.adaptive import AdaptiveSettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.motion import MotionSettings
from edgeagent.settings.sections.objects import ObjectSettings
from edgeagent.settings.sections.power import PowerSettings
from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.timing.histogram import StageTimes
from edgeagent.version import __version__
from edgeagent.vision.detections import Detections
from tests.camera.consumer import WAIT_S, frames_of
from tests.camera.media import write_pictures
from tests.daemon.test_object_watch import result
from tests.included import QUICK_BUNDLE

SPOOL = SpoolState(on_disk=True, waiting=2, size=12_288)


def watch() -> DeviceWatch:
    """Watches this machine, as far as it is asked."""
    return DeviceWatch(PowerSettings(), AdaptiveSettings(), lambda: 0)


def test_detections_are_in_pixels_of_the_frame_and_rounded() -> None:
    frame = Frame(np.zeros((48, 64, 3), np.uint8), 7, 1_000_000_000, 0.0)
    found = Detections(
        np.array([[1.04, 2.06, 30.5, 40.0]], np.float32),
        np.array([0.87654], np.float32),
        np.array([1], np.int32),
        ("a", "b"),
    )
    message = json.loads(build_detections(frame, found, 1_012_345_678, 17, "frame").payload())
    assert message == {
        "time": "1970-01-01T00:00:00.000Z",
        "run": 17,
        "sequence": 7,
        "reason": "frame",
        "width": 64,
        "height": 48,
        "latency_ms": 12.3,
        "detections": [{"label": "b", "score": 0.877, "box": [1.0, 2.1, 30.5, 40.0]}],
    }


def test_credentials_of_a_camera_are_not_published() -> None:
    manifest = open_bundle(QUICK_BUNDLE).manifest
    camera = CameraSettings(name="yard", source="rtsp://viewer:secret@10.0.0.7/s", fps=15.0)
    facts = EngineFacts("onnxruntime", "1.0", "CPUExecutionProvider", 1, 0.1)
    payload = build_info(manifest, manifest.artefacts[0], facts, [camera]).payload().decode()
    assert "secret" not in payload
    assert "viewer" not in payload
    assert json.loads(payload)["cameras"] == [
        {"name": "yard", "source": "rtsp://***@10.0.0.7/s", "fps_asked": 15.0}
    ]


def test_gated_frames_are_processed_and_counted_with_their_reasons(tmp_path: Path) -> None:
    camera = Camera(CameraSettings(name="yard", source=str(tmp_path)))
    times, gate = {"yard": StageTimes(STAGES)}, MotionGate(MotionSettings())
    still = np.full((48, 64, 3), 90, np.uint8)
    counters = CameraCounters([camera], times, {}, ObjectWatch(ObjectSettings(), ["yard"]), {"yard": gate})
    reporter = TelemetryReporter(counters, 17, watch())
    for n in range(40):
        if gate.look(still, n / 10) is not None:
            times["yard"].record("end_to_end", 20_000_000)
    first, second = reporter.build({}, None), reporter.build({}, None)
    report = first.cameras["yard"]
    assert report.frames_processed == 40
    assert 40 / report.fps_processed == pytest.approx(first.interval_s, abs=0.0006)  # is in whole ms
    assert report.stages["end_to_end"].count == 20
    assert json.loads(first.payload())["cameras"]["yard"]["motion"] == {
        "frames_gated": 20,
        "gated_share": 0.5,
        "detected": {"first": 1, "motion": 0, "whole_picture": 0, "hold": 19, "tracks": 0, "timer": 0},
    }
    assert second.cameras["yard"].motion is not None
    assert second.cameras["yard"].motion.gated_share is None
    assert second.cameras["yard"].fps_processed == 0
    assert reporter.refresh(second, {}).cameras["yard"].frames_processed == 40


def test_a_camera_in_numbers(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 6)
    camera = Camera(CameraSettings(name="yard", source=str(folder), pace="unthrottled"))
    times = {"yard": StageTimes(STAGES)}
    objects = ObjectWatch(ObjectSettings(), ["yard"])
    reporter = TelemetryReporter(CameraCounters([camera], times, {"yard": 2}, objects), 17, watch())
    with camera:
        for _ in frames_of(camera):
            times["yard"].record("end_to_end", 20_000_000)
        first, second = (
            reporter.build({"telemetry": 2, "detections": 1}, None),
            reporter.build({"telemetry": 4}, SPOOL),
        )
    report = first.cameras["yard"]
    assert (report.state, report.frames_captured, report.frames_processed) == ("ended", 6, 6)
    assert report.fps_processed > 0
    assert report.stages["end_to_end"].count == 6
    assert report.stages["end_to_end"].buckets == {276: 6}
    assert report.stages["end_to_end"].p50_ms == pytest.approx(20, rel=0.01)
    assert report.stages["inference"].p50_ms is None
    assert "p90_ms" not in json.loads(first.payload())["cameras"]["yard"]["stages"]["end_to_end"]
    assert (first.sequence, second.sequence) == (1, 2)
    assert (first.messages_dropped, second.messages_dropped) == (3, 4)
    assert first.messages_dropped_by_stream == {"telemetry": 2, "detections": 1}
    assert first.spool is None
    assert json.loads(second.payload())["spool"] == {
        "state": "disk",
        "waiting": 2,
        "size_mb": 0.012,
        "damaged": 0,
    }
    assert (first.run, second.run, report.frames_failed) == (17, 17, 2)
    assert second.cameras["yard"].frames_processed == 6
    assert second.cameras["yard"].stages["end_to_end"].count == 0
    assert second.cameras["yard"].fps_processed == 0
    assert first.system.agent_rss_mb > 10


def test_info_says_what_runs() -> None:
    manifest = open_bundle(QUICK_BUNDLE).manifest
    artefact = manifest.artefacts[0]
    facts = EngineFacts("onnxruntime", "1.0", "CPUExecutionProvider", 2, 0.12345)
    info = build_info(manifest, artefact, facts, [CameraSettings(name="yard", source="0")])
    message = json.loads(info.payload())
    assert message["agent"] == __version__
    assert message["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert message["bundle"] == {
        "name": manifest.name,
        "version": manifest.version,
        "artefact": artefact.file,
        "sha256": artefact.sha256,
    }
    assert message["engine"] == {
        "name": "onnxruntime",
        "version": "1.0",
        "delegate": "CPUExecutionProvider",
        "threads": 2,
        "load_s": 0.123,
    }
    assert message["cameras"] == [{"name": "yard", "source": "0"}]


def test_a_camera_that_is_lost_says_why_and_its_frames_are_not_invented(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.avi")
    lost = Camera(CameraSettings(name="gate", source=absent, retry_first=30.0))
    waiting = Camera(CameraSettings(name="yard", source=absent))
    times = {name: StageTimes(STAGES) for name in ("gate", "yard")}
    objects = ObjectWatch(ObjectSettings(), ["gate", "yard"])
    reporter = TelemetryReporter(CameraCounters([lost, waiting], times, {}, objects), None, watch())
    with lost:
        assert lost.wait_for("lost", timeout=WAIT_S)
        cameras = json.loads(reporter.build({}, None).payload())["cameras"]
    assert (cameras["gate"]["state"], cameras["gate"]["fps_in"], cameras["gate"]["failures"]) == (
        "lost",
        0,
        1,
    )
    assert "absent.avi" in cameras["gate"]["last_error"]
    assert (cameras["yard"]["state"], cameras["yard"]["failures"]) == ("opening", 0)
    assert "last_error" not in cameras["yard"]
    assert not {"objects", "objects_left_out"} & (set(cameras["yard"]) | set(cameras["gate"]))
    for camera in cameras.values():
        assert camera["stages"] == {stage: {"count": 0, "buckets": {}} for stage in STAGES}


def test_objects_are_counted_over_the_interval_and_those_of_now_are_read_live(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 1)
    camera = Camera(CameraSettings(name="yard", source=str(folder)))
    objects = ObjectWatch(ObjectSettings(), ["yard"])
    times = {"yard": StageTimes(STAGES)}
    reporter = TelemetryReporter(CameraCounters([camera], times, {}, objects), 17, watch())
    for people in (1, 3):
        objects.frame(result("yard", 0.1 * people, *[0] * people))
    first = reporter.build({}, None)
    assert json.loads(first.payload())["cameras"]["yard"]["objects"] == {
        "person": {"current": 3, "maximum": 3, "mean": 2.0},
        "car": {"current": 0, "maximum": 0, "mean": 0.0},
    }
    assert reporter.refresh(first, {}).cameras["yard"].objects == first.cameras["yard"].objects
    objects.frame(result("yard", 0.5, 0, 0))
    live = reporter.refresh(first, {}).cameras["yard"].objects
    assert live is not None
    assert (live["person"].current, live["person"].maximum) == (2, 3)
    objects.take("yard")
    assert reporter.build({}, None).cameras["yard"].objects is None
