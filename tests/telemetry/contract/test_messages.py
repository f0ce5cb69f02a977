"""What is not known is not in the JSON; what is known, 0 included, is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from edgeagent.telemetry.contract.messages import (
    BoardInfo,
    BundleInfo,
    CameraInfo,
    CameraReport,
    DetectionsMessage,
    EngineInfo,
    Info,
    Message,
    PowerReport,
    PublishedDetection,
    StageReport,
    SystemReport,
    Telemetry,
)
from edgeagent.timing.utc import utc_time

NOON = "2026-01-31T12:00:00.000Z"


def sent(message: Message) -> Any:
    """What a consumer reads."""
    return json.loads(message.payload().decode("utf-8"))


def info(boot_id: str | None, model: str | None, fps: float | None) -> Info:
    return Info(
        time=NOON,
        boot_id=boot_id,
        agent="0.1.0",
        packages={},
        board=BoardInfo(model=model, architecture="aarch64", system="Linux", kernel="6.6"),
        bundle=BundleInfo(name="coco", version="1.0.0", artefact="model.onnx", sha256="00"),
        engine=EngineInfo(name="onnxruntime", version="1", delegate="CPU", threads=1, load_s=0.0),
        cameras=(CameraInfo(name="yard", source="0", fps_asked=fps),),
    )


def telemetry(stage: StageReport, power: PowerReport | None, error: str | None) -> Telemetry:
    camera = CameraReport(
        state="lost",
        fps_in=0.0,
        fps_processed=0.0,
        frames_captured=0,
        frames_processed=0,
        frames_dropped=0,
        frames_failed=0,
        reconnects=0,
        failures=0,
        last_error=error,
        stages={"inference": stage},
    )
    system = SystemReport(
        cpu_percent=0.0,
        agent_cpu_percent=0.0,
        agent_rss_mb=0.0,
        memory_available_mb=0.0,
        temperatures_c={},
        power=power,
    )
    return Telemetry(
        time=NOON,
        sequence=1,
        uptime_s=0.0,
        interval_s=0.0,
        cameras={"yard": camera},
        system=system,
        messages_dropped=0,
        messages_dropped_by_stream={},
    )


def test_what_is_not_known_of_a_device_is_not_in_its_info() -> None:
    unknown = sent(info(None, None, None))
    assert set(unknown) == {"time", "agent", "packages", "board", "bundle", "engine", "cameras"}
    assert set(unknown["board"]) == {"architecture", "system", "kernel"}
    assert unknown["cameras"] == [{"name": "yard", "source": "0"}]
    assert unknown["packages"] == {}
    known = sent(info("b", "Raspberry Pi 5", 15.0))
    assert (known["boot_id"], known["board"]["model"]) == ("b", "Raspberry Pi 5")
    assert known["cameras"][0]["fps_asked"] == 15.0


def test_what_is_not_known_of_an_interval_is_absent_and_zeros_are_there() -> None:
    unknown = sent(telemetry(StageReport(count=0, buckets={}), None, None))
    assert set(unknown) == {
        *("time", "sequence", "uptime_s", "interval_s", "cameras", "system"),
        *("messages_dropped", "messages_dropped_by_stream"),
    }
    assert unknown["messages_dropped"] == 0
    assert unknown["cameras"]["yard"] == {
        "state": "lost",
        "fps_in": 0.0,
        "fps_processed": 0.0,
        "frames_captured": 0,
        "frames_processed": 0,
        "frames_dropped": 0,
        "frames_failed": 0,
        "reconnects": 0,
        "failures": 0,
        "stages": {"inference": {"count": 0, "buckets": {}}},
    }
    assert set(unknown["system"]) == {
        *("cpu_percent", "agent_cpu_percent", "agent_rss_mb", "memory_available_mb", "temperatures_c")
    }
    power = PowerReport(watts=0.0, source="RAPL packages", quality="measured rail")
    known = sent(telemetry(StageReport(count=5, p50_ms=1.5, buckets={37: 5}), power, "gone"))
    assert known["cameras"]["yard"]["stages"]["inference"] == {
        "count": 5,
        "p50_ms": 1.5,
        "buckets": {"37": 5},
    }
    assert known["cameras"]["yard"]["last_error"] == "gone"
    assert known["system"]["power"] == {"watts": 0.0, "source": "RAPL packages", "quality": "measured rail"}


def test_text_is_utf_8_and_a_frame_without_detections_says_so() -> None:
    found = PublishedDetection(label="Straßenbahn", score=0.5, box=(0.0, 1.0, 2.0, 3.0))
    message = DetectionsMessage(
        time=NOON, sequence=0, width=64, height=48, latency_ms=1.0, detections=(found,)
    )
    assert sent(message)["detections"] == [
        {"label": "Straßenbahn", "score": 0.5, "box": [0.0, 1.0, 2.0, 3.0]}
    ]
    empty = message.model_copy(update={"detections": ()})
    assert sent(empty)["detections"] == []


def test_a_message_does_not_change_once_it_is_made() -> None:
    report = StageReport(count=1, buckets={0: 1})
    with pytest.raises(ValidationError):
        report.count = 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (12.5, "1970-01-01T00:00:12.500Z"),
        (1769860800.0, "2026-01-31T12:00:00.000Z"),
        (1769860800.1239, "2026-01-31T12:00:00.123Z"),
        (4102444800.0, "2100-01-01T00:00:00.000Z"),
    ],
)
def test_time_stamps_are_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert utc_time(seconds) == text
