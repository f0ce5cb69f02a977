"""Views from the messages of the agent: escaped, absent where absent, complete without JavaScript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from edgeagent.daemon.scene_messages import build_object_message
from edgeagent.events.object_life import ObjectEvent, Sighting
from edgeagent.events.stored_files import StoredFiles
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.zones import ZoneSettings
from edgeagent.telemetry.contract.messages import Alarm, Event, Problem, ProblemCode
from edgeagent.web.device_record import KEPT_EVENTS, KEPT_OBJECTS, DeviceRecord
from edgeagent.web.page_facts import PageFacts
from edgeagent.web.views.advice import WHAT_TO_DO, advice_for
from edgeagent.web.views.events import write_events
from edgeagent.web.views.live import write_live
from edgeagent.web.views.status import write_status
from edgeagent.web.views.zones import write_zones
from tests.telemetry.home_assistant.values import documented

TIME = "2026-11-29T12:00:00.000Z"


def told_of(number: int, what: str = "new", snapshot: str | None = None) -> bytes:
    sight = Sighting(1.0, 1.0, "person", 0.8, (0.1, 0.1, 0.2, 0.5), (0.15, 0.5), ("gate",))
    event = ObjectEvent(
        what=what,  # type: ignore[arg-type]
        reason=None,
        id=f"1700000{number:03d}.000000-{number}",
        camera="yard",
        track=number,
        now=sight,
        best=sight,
        began_s=0.0,
        began_utc_s=0.0,
        entered=("gate",),
        path=(),
        still=False,
    )
    return build_object_message(event, 1, number, StoredFiles(snapshot)).payload()


@pytest.fixture
def record() -> DeviceRecord:
    return DeviceRecord()


def test_before_the_first_message_every_view_says_what_comes(record: DeviceRecord) -> None:
    status = write_status(record.sight(), broker=False)
    assert "No numbers yet" in status
    assert "mqtt.host" in status
    assert "No objects yet" in write_events(record.sight(), snapshots=False, tracked=True)
    assert "tracking.tracker" in write_events(record.sight(), snapshots=False, tracked=False)
    facts = PageFacts("board", (CameraSettings(name="yard", source="0"),), None, True, False)
    assert "starting" in write_live(facts, record.sight(), can_change=False)


def test_status_has_the_numbers_of_the_message(record: DeviceRecord) -> None:
    telemetry = documented()
    record.observe("telemetry", telemetry.payload())
    status = write_status(record.sight(), broker=True)
    for camera, report in telemetry.cameras.items():
        assert camera in status
        assert f"{report.fps_processed:,.1f}" in status
    assert "data-local" in status


def test_what_is_absent_is_no_zero(record: DeviceRecord) -> None:
    telemetry = json.loads(documented().payload())
    for name in ("power", "energy", "joules_per_inference", "throttled", "gpu_percent"):
        telemetry["system"].pop(name, None)
    telemetry["system"]["temperatures_c"] = {}
    for report in telemetry["cameras"].values():
        report["stages"] = {"end_to_end": {"count": 0, "buckets": {}}}
    record.observe("telemetry", json.dumps(telemetry).encode())
    sight = record.sight()
    status = write_status(sight, broker=True)
    assert "this board measures none" in status
    assert "0.00" not in status.partition("Power")[2].partition("</div>")[0]
    assert status.count("too few frames in the interval") >= 3
    assert sight.series("power") == [None]


def test_names_are_never_markup(record: DeviceRecord) -> None:
    bad = '<script>alert(1)</script>"'
    problem = Problem(code="camera_lost", text=bad, camera="yard", since=TIME)
    record.observe("alarm", Alarm(time=TIME, problems=(problem,)).payload())
    record.observe("events/camera", Event(time=TIME, sequence=1, kind="camera", text=bad).payload())
    message = json.loads(told_of(1))
    record.observe("objects/yard", json.dumps({**message, "label": bad, "entered": [bad]}).encode())
    for view in (write_status(record.sight(), True), write_events(record.sight(), True, True)):
        assert "<script>" not in view
        assert "&lt;script&gt;" in view


def test_every_alarm_says_what_to_do() -> None:
    assert set(WHAT_TO_DO) == set(get_args(ProblemCode))
    assert "alarms.md" in advice_for("a_later_code")


def test_what_is_kept_is_bounded(record: DeviceRecord) -> None:
    for number in range(KEPT_OBJECTS + 20):
        record.observe("objects/yard", told_of(number))
        record.observe("events/rate", Event(time=TIME, sequence=1, kind="rate", text=f"{number}").payload())
    sight = record.sight()
    assert (len(sight.objects), len(sight.events)) == (KEPT_OBJECTS, KEPT_EVENTS)
    assert sight.objects[0].id.endswith(f"-{KEPT_OBJECTS + 19}")


def test_an_object_is_followed_to_its_end(record: DeviceRecord) -> None:
    record.observe("objects/yard", told_of(1))
    assert record.sight().objects[0].present
    record.observe("objects/yard", told_of(1, "update", "yard/1700000001.000000-1.jpg"))
    record.observe("objects/yard", told_of(1, "end"))
    (one,) = record.sight().objects
    assert (one.present, one.zones, one.label) == (False, ("gate",), "person")
    assert one.snapshot == "yard/1700000001.000000-1.jpg"


def test_pictures_of_earlier_runs_are_listed(record: DeviceRecord, tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    for name in ("1600000000.000000-1.jpg", "1500000000.000000-2.jpg", "other.jpg", ".x.new"):
        (tmp_path / "yard" / name).touch()
    record.observe("objects/yard", told_of(1))
    record.read_files(tmp_path, None)
    record.read_files(tmp_path / "nowhere", tmp_path / "yard" / "other.jpg")
    assert [one.id.partition(".")[0] for one in record.sight().objects] == [
        "1700000001",
        "1600000000",
        "1500000000",
    ]


def test_the_editor_has_the_zones_as_they_are_written() -> None:
    corners = ((0.1, 0.1), (0.4, 0.1), (0.4, 0.5))
    zone = ZoneSettings(name="gate", polygon=corners, loiter_after=10.0)
    camera = CameraSettings(name="yard", source="0", zones=(zone,))
    view = write_zones(camera, can_save=False)
    assert "&quot;loiter_after&quot;: &quot;10s&quot;" in view
    assert "zone-save" not in view
    assert "zone-save" in write_zones(camera, can_save=True)
