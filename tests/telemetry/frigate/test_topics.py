"""Frigate's topics: the exact shapes that its consumers read."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgeagent.events.object_life import ObjectEvent, ObjectLife
from edgeagent.settings.sections.events import EventSettings
from edgeagent.telemetry.frigate.reviews import CameraReviews
from edgeagent.telemetry.frigate.tracked_objects import FrigateObject, frigate_id
from edgeagent.telemetry.mqtt.retained_topics import RetainedTopics
from tests.events.sightings import sighting
from tests.telemetry.frigate.walks import GATE, Told, found, scene, walk

FIELDS: dict[str, Any] = {
    "id": str,
    "camera": str,
    "frame_time": float,
    "snapshot": dict,
    "label": str,
    "sub_label": type(None),
    "top_score": float,
    "false_positive": bool,
    "start_time": float,
    "end_time": (float, type(None)),
    "score": float,
    "box": list,
    "area": int,
    "ratio": float,
    "region": list,
    "active": bool,
    "stationary": bool,
    "motionless_count": int,
    "position_changes": int,
    "current_zones": list,
    "entered_zones": list,
    "has_clip": bool,
    "has_snapshot": bool,
    "attributes": dict,
    "current_attributes": list,
    "thumbnail": type(None),
}
"""Fields of an object and their types, as Frigate sends them."""


def life(*sightings: Any) -> list[ObjectEvent]:
    """Return the events of an object that is seen so, its end included."""
    settings = EventSettings(confirm_after=0.1, update_every=1.0, still_after=2.0)
    one = ObjectLife(settings, "yard", 37, sightings[0])
    events = [event for each in sightings if (event := one.see(each, True)) is not None]
    end = one.end()
    assert end is not None
    return [*events, end]


def test_an_event_has_the_fields_of_frigate() -> None:
    known = FrigateObject()
    first, zoned, end = life(sighting(0.0), sighting(0.2), sighting(0.4, score=0.9, zones=("gate",)))
    new = known.message(first, (640, 480), has_snapshot=False)
    assert set(new) == {"type", "before", "after"}
    for side in ("before", "after"):
        assert set(new[side]) == set(FIELDS)
        for name, kind in FIELDS.items():
            assert isinstance(new[side][name], kind), name
    after = new["after"]
    assert re.fullmatch(r"\d+\.\d{6}-[a-z0-9]{6}", after["id"])
    assert after["id"] == "1000000.000000-000011"
    assert after["box"] == [320, 240, 384, 288]
    assert (after["area"], after["ratio"], after["region"]) == (64 * 48, 1.33, [0, 0, 640, 480])
    assert (after["start_time"], after["end_time"], after["frame_time"]) == (1e6, None, 1e6 + 0.2)
    assert set(after["snapshot"]) == {
        "frame_time", "box", "area", "ratio", "region", "score", "attributes"
    }  # fmt: skip
    assert (new["before"]["false_positive"], after["false_positive"]) == (True, False)

    update = known.message(zoned, (640, 480), has_snapshot=True)
    assert (update["type"], update["before"]) == ("update", after)
    assert update["after"]["current_zones"] == update["after"]["entered_zones"] == ["gate"]
    assert (update["after"]["top_score"], update["after"]["has_snapshot"]) == (0.9, True)
    last = known.message(end, (640, 480), has_snapshot=True)
    assert (last["type"], last["before"]) == ("end", update["after"])
    assert last["after"]["end_time"] == 1e6 + 0.4


def test_an_object_that_stands_still_is_stationary_and_its_speed_is_in_kmh() -> None:
    known = FrigateObject()
    new, still, end = life(sighting(0.0), sighting(0.2, speed=2.0), sighting(2.5))
    assert known.message(new, (640, 480), False)["after"]["current_estimated_speed"] == 7.2
    for event, count in ((still, 1), (end, 2)):
        after = known.message(event, (640, 480), False)["after"]
        assert (after["active"], after["stationary"], after["motionless_count"]) == (False, True, count)


def test_ids_of_different_tracks_differ() -> None:
    ids = {frigate_id(1e6, track) for track in (0, 1, 35, 36, 36**6 - 1)}
    assert len(ids) == 5
    assert all(re.fullmatch(r"1000000\.000000-[a-z0-9]{6}", one) for one in ids)


def test_a_review_lasts_while_something_moves(tmp_path: Path) -> None:
    told = Told(tmp_path, scene(zones=[GATE]))
    told.watch(walk(0.2, 0.8, 60))
    told.watch([found()] * 40)
    messages = told.messages("frigate/reviews")
    assert [message["type"] for message in messages] == ["new", "update", "end"]
    first, last = messages[0]["after"], messages[-1]["after"]
    assert set(first) == {"id", "camera", "start_time", "end_time", "severity", "thumb_path", "data"}
    assert set(first["data"]) == {"detections", "objects", "sub_labels", "zones", "audio"}
    assert (first["severity"], first["end_time"], first["camera"]) == ("alert", None, "yard")
    assert last["data"]["objects"] == ["person"]
    assert last["data"]["zones"] == ["gate"]
    assert last["end_time"] > last["start_time"]
    assert last["data"]["detections"] == [told.messages("frigate/events")[0]["after"]["id"]]
    assert {message["after"]["id"] for message in messages} == {first["id"]}
    for earlier, later in pairwise(messages):
        assert later["before"] == earlier["after"]


def test_what_stands_still_does_not_hold_a_review() -> None:
    reviews = CameraReviews()
    new, still, end = life(sighting(0.0), sighting(0.2), sighting(2.5))
    types = [reviews.message(event, "yard/1.jpg", True) for event in (new, still, end)]
    assert [one and one["type"] for one in types] == ["new", "end", None]
    assert types[0] is not None
    assert types[0]["after"]["thumb_path"] == "yard/1.jpg"


def test_no_review_begins_while_disarmed_and_events_go_on(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.armed = False
    told.watch(walk(0.2, 0.8, 60))
    assert told.messages("frigate/reviews") == []
    assert [message["type"] for message in told.messages("frigate/events")] == ["new", "update", "update"]


def test_counts_are_plain_numbers_and_return_to_zero(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.watch(walk(0.5, 0.52, 30))
    last = dict(told.retained)
    for place in ("yard", "gate", "yard/gate"):
        assert (last[f"frigate/{place}/person"], last[f"frigate/{place}/all"]) == ("1", "1")
    assert last["frigate/yard/person/active"] == last["frigate/yard/all/active"] == "1"
    told.end()
    last = dict(told.retained)
    assert set(last.values()) == {"0"}
    assert len(told.retained) == len(set(told.retained))  # each change once
    assert {qos for topic, _, qos in told.sent if not topic.endswith("snapshot")} == {1}


def test_counts_of_an_agent_that_was_killed_are_corrected_at_the_next_start(tmp_path: Path) -> None:
    killed = Told(tmp_path)
    killed.watch(walk(0.5, 0.52, 30))
    counted = {topic for topic, number in dict(killed.retained).items() if number != "0"}
    with_shed = RetainedTopics(tmp_path / "frigate-retained.json")
    with_shed.add(["frigate/shed/person"])  # of a camera that was removed meanwhile
    told = Told(tmp_path)
    assert told.retained == [("frigate/shed/person", "")]
    told.begin()
    last = dict(told.retained)
    assert {topic: last[topic] for topic in counted} == dict.fromkeys(counted, "0")


def test_a_picture_goes_to_the_topic_of_its_label(tmp_path: Path) -> None:
    told = Told(tmp_path)
    (event, *_) = life(sighting(0.0), sighting(0.2))
    told.topics.publish_picture(event, b"jpeg")
    assert told.sent == [("frigate/yard/person/snapshot", b"jpeg", 0)]
