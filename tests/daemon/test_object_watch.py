"""Objects of results with real detections: counts of an interval, and presence."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgeagent.daemon.object_watch import ObjectWatch, PresenceChange
from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Frame
from edgeagent.settings.sections.objects import ObjectSettings
from edgeagent.telemetry.contract.objects import ObjectReport
from edgeagent.telemetry.contract.presence import Presence
from edgeagent.vision.detections import Detections

LABELS = ("person", "car")
PICTURE = np.zeros((4, 4, 3), np.uint8)


@dataclass
class Heard:
    """What was published."""

    messages: list[Presence] = field(default_factory=list)
    changes: list[PresenceChange] = field(default_factory=list)

    def __call__(self, message: Presence, changes: list[PresenceChange]) -> None:
        self.messages.append(message)
        self.changes += changes

    @property
    def last(self) -> dict[str, dict[str, bool]]:
        """Presence by camera and label."""
        cameras = self.messages[-1].cameras
        return {name: {label: p.present for label, p in labels.items()} for name, labels in cameras.items()}


def result(camera: str, at_s: float, *classes: int, labels: tuple[str, ...] = LABELS) -> Result:
    number = len(classes)
    found = Detections(
        np.zeros((number, 4), np.float32), np.ones(number, np.float32), np.array(classes, np.int32)
    )
    detector: Any = SimpleNamespace(description=SimpleNamespace(labels=labels))
    frame = Frame(PICTURE, 0, round(at_s * 1e9), 1_000.0 + at_s)
    return Result(camera, frame, found, cast("Any", detector), 0)


def watch(heard: Heard, **settings: Any) -> ObjectWatch:
    return ObjectWatch(ObjectSettings(**settings), ("yard", "gate"), 17, heard)


def test_counts_are_those_of_the_interval_and_absent_without_a_frame() -> None:
    objects = watch(Heard())
    assert objects.take("yard") is None
    for at_s, people in enumerate((0, 3, 1)):
        objects.frame(result("yard", at_s, *[0] * people))
    assert objects.newest("yard") == {"person": 1, "car": 0}
    assert objects.take("yard") == {
        "person": ObjectReport(current=1, maximum=3, mean=1.333),
        "car": ObjectReport(current=0, maximum=0, mean=0.0),
    }
    assert objects.take("gate") is None
    assert objects.take("yard") is None
    assert objects.left_out("yard") is None


def test_objects_beyond_the_bounds_are_counted() -> None:
    objects = watch(Heard(), labels=None)
    labels = tuple(f"class {number}" for number in range(40))
    objects.frame(result("yard", 0, *range(40), labels=labels))
    assert len(objects.take("yard") or {}) == 32
    assert (objects.left_out("yard"), objects.left_out("gate")) == (8, 0)


def test_a_label_appears_and_disappears_once_each() -> None:
    heard = Heard()
    objects = watch(heard)
    objects.start()
    assert heard.messages[0].cameras == {}
    for at_s in (0.0, 0.3, 0.6, 0.9):
        objects.frame(result("yard", at_s, 0, 0))
    assert heard.last == {"yard": {"person": True, "car": False}}
    assert heard.messages[-1].cameras["yard"]["person"].since == "1970-01-01T00:16:40.000Z"
    for at_s in (1.0, 3.0, 6.0, 7.0):
        objects.frame(result("yard", at_s))
    assert heard.last == {"yard": {"person": False, "car": False}}
    assert heard.changes == [
        PresenceChange("yard", "person", True, 2),
        PresenceChange("yard", "person", False, 0),
    ]
    assert len(heard.messages) == 4  # the start, the first frame, and two changes


def test_a_camera_without_results_is_unknown_and_nothing_appears_when_it_is_back() -> None:
    heard = Heard()
    objects = watch(heard)
    for at_s in (0.0, 0.6):
        objects.frame(result("yard", at_s, 0))
    objects.take("yard")
    assert "yard" in heard.last
    assert objects.take("yard") is None
    assert heard.last == {}
    objects.frame(result("yard", 40.0, 0))
    assert heard.last == {"yard": {"person": True, "car": False}}
    assert heard.changes == [PresenceChange("yard", "person", True, 1)]


def test_another_model_begins_an_interval_and_a_label_that_it_lacks_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = Heard()
    objects = watch(heard, labels=("person", "car"))
    objects.frame(result("yard", 0.0, 0, 0, 0))
    objects.frame(result("yard", 1.0, 0, labels=("car",)))
    assert objects.take("yard") == {"car": ObjectReport(current=1, maximum=1, mean=1.0)}
    assert caplog.messages == ["objects.labels: the model has no label 'person'"]
    assert heard.last == {"yard": {"car": False}}
