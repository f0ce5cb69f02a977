"""Scenes: masks, a real tracker, zones, lines and lives on detections that walk."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from edgeagent.detection.motion_gate import MISSING_S
from edgeagent.events.building import build_scene, score_thresholds, tracker_options
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.vision.detections import Detections

WIDTH, HEIGHT, FPS = 640, 480, 10
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
LOCAL = datetime(2026, 11, 29, 12, 0)


def scene(**camera: object) -> Scene:
    settings = Settings.model_validate({"cameras": [{"name": "yard", "source": "0", **camera}]})
    return build_scene(settings.cameras[0], settings)


def found(*places: tuple[float, float], score: float = 0.9) -> Detections:
    """Return persons of 40 x 100 pixels that stand at places, in shares of the picture."""
    boxes = [(x * WIDTH - 20, y * HEIGHT - 100, x * WIDTH + 20, y * HEIGHT) for x, y in places]
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.zeros(count, np.int32),
        ("person",),
    )


def watch(observed: Scene, frames: list[Detections], begin: int = 0) -> list[SceneReport]:
    return [
        observed.update(Frame(IMAGE, n, round((begin + n) / FPS * 1e9), 1e9 + (begin + n) / FPS), one, LOCAL)
        for n, one in enumerate(frames)
    ]


def walk(begin: float, end: float, frames: int, y: float = 0.7) -> list[Detections]:
    return [found((begin + (end - begin) * n / (frames - 1), y)) for n in range(frames)]


def events(reports: list[SceneReport]) -> list[str]:
    return [f"{e.what} {e.reason or ''}".strip() for report in reports for e in report.events]


GATE = {"name": "gate", "polygon": [[0.4, 0.5], [0.6, 0.5], [0.6, 0.9], [0.4, 0.9]]}
DOOR = {"name": "door", "begin": [0.5, 0.9], "end": [0.5, 0.1]}


def test_a_walk_through_a_zone_and_over_a_line() -> None:
    observed = scene(zones=[GATE], lines=[DOOR])
    reports = watch(observed, walk(0.2, 0.8, 60))
    assert events(reports) == ["new", "update zones", "update zones"]
    assert [c.what for r in reports for c in r.zone_changes] == ["enter", "leave"]
    assert [(c.line, c.direction) for r in reports for c in r.crossings] == [("door", "out")]
    end = observed.end()
    assert [event.what for event in end.events] == ["end"]
    assert end.events[0].entered == ("gate",)
    assert events(watch(observed, walk(0.2, 0.3, 20), begin=100)) == ["new"]


def test_an_object_behind_a_pillar_is_one_object() -> None:
    hidden = walk(0.2, 0.8, 60)
    for n in range(25, 40):
        hidden[n] = found()
    reports = watch(scene(zones=[GATE]), hidden)
    assert events(reports).count("new") == 1
    assert "end" not in events(reports)
    assert [c.what for r in reports for c in r.zone_changes] == ["enter", "leave"]


def test_the_end_follows_after_the_time_that_tracks_are_kept() -> None:
    reports = watch(scene(), [*walk(0.2, 0.3, 20), *[found()] * 30])
    assert events(reports) == ["new", "end"]
    ended = next(n for n, report in enumerate(reports) if "end" in [e.what for e in report.events])
    assert 20 / FPS + 1.5 <= ended / FPS <= 20 / FPS + 2.5


def test_masked_objects_are_not_tracked() -> None:
    corners = [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [0.0, 1.0]]
    for kind in ("ignore", "privacy"):
        observed = scene(masks=[{"polygon": corners, "kind": kind}])
        assert events(watch(observed, walk(0.1, 0.4, 30))) == []
        assert events(watch(observed, walk(0.6, 0.9, 30), begin=100)) == ["new"]


def test_counts_change_is_told_only_when_they_do() -> None:
    observed = scene(zones=[GATE])
    changed = [report.counts_changed for report in watch(observed, [found((0.5, 0.7))] * 30)]
    assert changed[0]  # the first state
    assert sum(changed) <= 4  # entered, occupied


def test_a_picture_of_another_size_ends_all_objects_and_says_that_zones_changed() -> None:
    observed = scene(zones=[GATE])
    watch(observed, [found((0.5, 0.7))] * 20)
    assert observed.zones[0].occupied
    small = Frame(np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8), 20, 2_000_000_000, 1e9 + 2)
    report = observed.update(small, Detections.empty(("person",)), LOCAL)
    assert [event.what for event in report.events] == ["end"]
    assert (report.counts_changed, observed.zones[0].occupied) == (True, False)


def test_speed_is_measured_on_the_ground() -> None:
    ground = {
        "picture": [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]],
        "metres": [[0, 10], [12, 10], [12, 0], [0, 0]],
    }
    observed = scene(ground=ground)
    watch(observed, walk(0.2, 0.7, 51))  # 6 m in 5 s
    (event,) = observed.end().events
    assert event.now.speed is not None
    assert 1.1 < event.now.speed < 1.3


def test_nothing_and_many_objects_are_no_trouble() -> None:
    observed = scene(zones=[GATE], lines=[DOOR])
    random = np.random.default_rng(0)
    for report in watch(observed, [found(*random.uniform(0, 1, (500, 2)).tolist()) for _ in range(3)]):
        assert report.frame is not None
    watch(observed, [found()] * 40, begin=10)
    assert observed.live() == []


def test_thresholds_follow_the_settings() -> None:
    def of(score: float, tracker: str = "bytetrack") -> Settings:
        return Settings.model_validate(
            {
                "cameras": [{"name": "yard", "source": "0"}],
                "model": {"score_threshold": score},
                "tracking": {"tracker": tracker},
            }
        )

    assert (tracker_options(of(0.4)).low, tracker_options(of(0.4)).new) == (0.2, 0.5)
    assert (tracker_options(of(0.05)).low, tracker_options(of(0.7)).new) == (0.05, 0.7)
    assert score_thresholds(of(0.4)).candidates == 0.2
    assert score_thresholds(of(0.4, "off")).candidates == 0.4


def hold(observed: Scene, frames: int, begin: int) -> list[SceneReport]:
    times = [(begin + n) / FPS for n in range(frames)]
    return [observed.hold(Frame(IMAGE, n, round(s * 1e9), 1e9 + s), LOCAL) for n, s in enumerate(times)]


def test_an_object_that_stands_still_lives_on_in_frames_without_a_detection() -> None:
    observed = scene(zones=[GATE | {"loiter_after": "30s"}])
    reports = watch(observed, [found((0.5, 0.7))] * 10)
    assert observed.recheck_s is None
    reports += hold(observed, 400, 10)
    assert events(reports) == ["new", "update still", "update loiter"]
    assert [c.what for r in reports for c in r.zone_changes] == ["enter", "loiter"]
    seen = reports[-1].frame
    assert seen is not None
    assert seen.tracks.ids.tolist() == [1]
    reports = watch(observed, [found((0.5, 0.7))] * 5, begin=410)
    assert events(reports) == []
    assert reports[-1].frame.tracks.ids.tolist() == [1]  # type: ignore[union-attr]


def test_one_mistake_of_the_detector_is_not_repeated_and_a_new_track_asks_for_another_frame() -> None:
    observed = scene()
    watch(observed, [found((0.3, 0.7))] * 10)
    watch(observed, [found((0.3, 0.7), (0.8, 0.7))], begin=10)
    assert observed.recheck_s == 0.0
    reports = hold(observed, 20, 11)
    assert observed.recheck_s is None
    assert events(reports) == []
    assert reports[-1].frame.tracks.ids.tolist() == [1]


def test_a_missing_object_is_looked_for_and_ends_in_time_while_nothing_moves() -> None:
    observed = scene()
    watch(observed, [found((0.3, 0.7))] * 10)
    watch(observed, [found()], begin=10)
    assert observed.recheck_s == MISSING_S
    assert events(hold(observed, 20, 11)) == []
    assert events(hold(observed, 3, 31)) == ["end"]
    assert observed.recheck_s is None


def test_the_end_of_a_scene_leaves_nothing_to_repeat() -> None:
    observed = scene()
    watch(observed, [found((0.3, 0.7))] * 10)
    observed.end()
    assert events(hold(observed, 30, 11)) == []
    assert observed.live() == []
