"""The recipes in config/recipes: the commands accept them; right on real footage or made detections."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edgeagent.api.detector import open_detector
from edgeagent.cli import main
from edgeagent.daemon.actions import build_actions
from edgeagent.events.building import build_scene, score_thresholds
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.files.resources import sample_clip
from edgeagent.imaging.frame import Frame, Image
from edgeagent.settings.file import load_settings
from edgeagent.telemetry.mqtt.interface import NoPublisher
from edgeagent.vision.detections import Detections
from tests.data import shared
from tests.included import QUICK_NAME

RECIPES = Path(__file__).parents[1] / "config" / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
LOWEST = 0.2
NOON, NIGHT = datetime(2026, 11, 29, 12, 0), datetime(2026, 11, 29, 23, 30)
HEIGHT, WIDTH = 480, 640
LABELS = ("person", "car", "truck", "backpack", "suitcase", "bottle")


def recipe(name: str) -> Scene:
    """Return the scene of the only camera of a recipe."""
    settings = load_settings(RECIPES / f"{name}.yaml")
    assert score_thresholds(settings).candidates == LOWEST
    return build_scene(settings.cameras[0], settings)


def frames_of(clip: Path, first: int, last: int, every: int = 2) -> Iterator[Image]:
    """Yield each n-th frame of a clip of 10 frames/s."""
    reader = cv2.VideoCapture(str(clip))
    for number in range(last):
        ok, image = reader.read()
        assert ok
        if number >= first and (number - first) % every == 0:
            yield image.astype(np.uint8, copy=False)
    reader.release()


def detect(images: Iterator[Image]) -> list[Detections]:
    with open_detector(QUICK_NAME, isolated=False, threads=1, score_threshold=LOWEST) as detector:
        return [detector(image) for image in images]


@pytest.fixture(scope="module")
def campus() -> list[Detections]:
    """Detections of the first 12 s of the sample clip, 5 frames/s."""
    return detect(frames_of(sample_clip(), 0, 120))


def watch(
    scene: Scene,
    detections: Sequence[Detections],
    *,
    fps: float = 5.0,
    size: tuple[int, int] = (576, 768),
    local: datetime = NOON,
) -> list[SceneReport]:
    image = np.zeros((*size, 3), np.uint8)
    return [
        scene.update(Frame(image, n, round(n / fps * 1e9), 1e9 + n / fps), found, local)
        for n, found in enumerate(detections)
    ]


def entered(reports: Sequence[SceneReport], what: str = "enter") -> Counter[tuple[str, str]]:
    return Counter((c.zone, c.label) for r in reports for c in r.zone_changes if c.what == what)


def crossed(reports: Sequence[SceneReport]) -> Counter[tuple[str, str]]:
    return Counter((c.label, c.direction) for r in reports for c in r.crossings)


def placed(label: str, x: float, y: float, wide: float = 0.1, high: float = 0.1) -> Detections:
    """Return one object whose box has its middle at (x, y); all in shares of the picture."""
    box = [(x - wide / 2) * WIDTH, (y - high / 2) * HEIGHT, (x + wide / 2) * WIDTH, (y + high / 2) * HEIGHT]
    return Detections(
        np.array([box], np.float32),
        np.array([0.9], np.float32),
        np.array([LABELS.index(label)], np.int32),
        LABELS,
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_accept_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("#")
    assert f"-c {name}.yaml" in text.partition("mqtt:")[0]
    assert main(["run", "-c", str(RECIPES / f"{name}.yaml"), "--check"]) == 0
    assert "nothing was started" in capsys.readouterr().out


def test_one_of_them_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 5, (768, 576))
    for image in frames_of(sample_clip(), 0, 20):
        writer.write(image)
    writer.release()
    config = tmp_path / "edgeagent.yaml"
    text = (RECIPES / "people-counting.yaml").read_text(encoding="utf-8")
    model = (
        f"state: {tmp_path / 'state'}\nmodel: {{bundle: {QUICK_NAME}, engine: onnxruntime-cpu, threads: 1}}\n"
    )
    config.write_text(text + model, encoding="utf-8")
    assert main(["replay", str(clip), "-c", str(config)]) == 0
    assert "10 frames" in capsys.readouterr().out


class Siren(NoPublisher):
    """Broker that records what is sent to complete topics."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    def publish_absolute(self, topic: str, payload: bytes, **about: object) -> None:
        self.heard.append((topic, payload))


def acted(
    name: str, detections: Sequence[Detections], *, armed: bool = True, fps: float = 5.0
) -> list[bytes]:
    """Return what the actions of a recipe publish at night, all to one topic, up to the end of the scene."""
    settings, siren, scene = load_settings(RECIPES / f"{name}.yaml"), Siren(), recipe(name)
    actions = build_actions(settings, siren, lambda: armed)
    assert actions is not None
    image = np.zeros((576, 768, 3), np.uint8)
    for n, found in enumerate(detections):
        frame = Frame(image, n, round(n / fps * 1e9), 1e9 + n / fps)
        actions.publish(settings.cameras[0].name, scene, scene.update(frame, found, NIGHT))
    actions.publish(settings.cameras[0].name, scene, scene.end())
    assert len({topic for topic, _ in siren.heard}) <= 1
    return [payload for _, payload in siren.heard]


def test_intruders_count_at_night_only(campus: list[Detections]) -> None:
    by_day = watch(recipe("intrusion"), campus)
    assert entered(by_day) == {}
    scene = recipe("intrusion")
    at_night = watch(scene, campus, local=NIGHT)
    assert entered(at_night)["premises", "person"] >= 3


def test_the_siren_sounds_while_the_device_is_armed(campus: list[Detections]) -> None:
    heard = acted("intrusion", campus)
    assert heard[0] == b"ON" and heard[-1] == b"OFF"
    assert set(acted("intrusion", campus, armed=False)) == {b"OFF"}
    assert acted("crossing", campus)[0] == b"ON"


def test_the_desk_is_told_once_of_a_bag() -> None:
    (told,) = acted("lost-property", [placed("suitcase", 0.5, 0.7)] * 650)
    assert json.loads(told)["event"] == "zone.loiter"


def test_people_are_counted_by_direction(campus: list[Detections]) -> None:
    """Counted by eye: out at 1.5 and 10.0 s, in at 6.2 s; benchmarks/event_truth/campus.yaml."""
    assert crossed(watch(recipe("people-counting"), campus)) == {("person", "out"): 2, ("person", "in"): 1}


def test_pedestrians_switch_the_warning_on_and_off(campus: list[Detections]) -> None:
    scene = recipe("crossing")
    occupied = []
    for n, found in enumerate([*campus[:60], *[campus[0].take(slice(0, 0))] * 50]):
        watched = Frame(np.zeros((576, 768, 3), np.uint8), n, n * 200_000_000, 1e9 + n / 5)
        scene.update(watched, found, NOON)
        occupied.append(scene.zones[0].occupied)
    assert True in occupied[:15]
    assert not occupied[-1]


@pytest.mark.data
def test_a_queue_is_counted_and_waiting_is_told() -> None:
    clip = shared("video", "one-by-one-person-detection.mp4")
    settings = load_settings(RECIPES / "queue.yaml")
    (zone,) = settings.cameras[0].zones
    sooner = zone.model_copy(update={"loiter_after": 6.0})
    camera = settings.cameras[0].model_copy(update={"zones": (sooner,)})
    scene = build_scene(camera, settings)
    reports = watch(scene, detect(frames_of(clip, 60, 150)), size=(432, 768))
    assert entered(reports) == {("queue", "person"): 1}
    assert entered(reports, "loiter") == {("queue", "person"): 1}
    assert scene.zones[0].count() == {"person": 1}


@pytest.mark.data
def test_parking_spaces_are_as_labelled() -> None:
    """A picture of PKLot for a minute; the recipe names spaces 4, 5 and 12 of its camera."""
    name = "2013-02-22_07_15_01"
    folder = shared("data", "parking", "sequence1")
    spaces = ElementTree.parse(folder / "bounding_boxes" / f"{name}.xml").getroot().iter("space")
    labelled = {space.attrib["id"]: space.attrib["occupied"] == "1" for space in spaces}
    image = cv2.imread(str(folder / "frames" / f"{name}.png"))
    assert image is not None
    (found,) = detect(iter([image.astype(np.uint8, copy=False)]))
    scene = recipe("parking")
    watch(scene, [found] * 60, fps=1.0, size=image.shape[:2])
    assert [zone.occupied for zone in scene.zones] == [labelled[one] for one in ("4", "5", "12")]


def test_vehicles_are_counted_by_direction() -> None:
    towards = [placed("car", 0.5, 0.4 + 0.01 * n, 0.2, 0.2) for n in range(40)]
    away = [placed("truck", 0.4, 0.8 - 0.01 * n, 0.2, 0.2) for n in range(40)]
    scene = recipe("vehicle-counting")
    reports = watch(scene, towards, fps=10, size=(HEIGHT, WIDTH))
    assert crossed(reports) == {("car", "out"): 1}
    speeds = [event.now.speed for event in scene.end().events]
    assert speeds[0] is not None
    assert speeds[0] > 1
    assert crossed(watch(recipe("vehicle-counting"), away, fps=10, size=(HEIGHT, WIDTH))) == {
        ("truck", "in"): 1
    }


def test_a_thing_on_the_belt_has_its_position() -> None:
    moving = [placed("bottle", 0.2 + 0.01 * n, 0.5) for n in range(31)]
    scene = recipe("pick-position")
    reports = watch(scene, [*moving, *[placed("bottle", 0.5, 0.5)] * 10], fps=10, size=(HEIGHT, WIDTH))
    told = [(event.reason or event.what, event.now.position) for r in reports for event in r.events]
    assert [what for what, _ in told][:2] == ["new", "zones"]
    assert told[-1][0] == "still"
    assert told[-1][1] == pytest.approx((0.4, 0.3), abs=0.01)
    assert entered(reports) == {("pick", "bottle"): 1}


def test_only_a_bag_that_stands_is_lost() -> None:
    standing = [placed("suitcase", 0.5, 0.7)] * 650
    reports = watch(recipe("lost-property"), standing, size=(HEIGHT, WIDTH))
    reasons = [event.reason for report in reports for event in report.events]
    assert reasons.count("still") == 1
    assert entered(reports, "loiter") == {("hall", "suitcase"): 1}
    carried = [placed("suitcase", 0.1 + 0.8 * n / 300, 0.7) for n in range(300)]
    reports = watch(recipe("lost-property"), carried, size=(HEIGHT, WIDTH))
    assert "still" not in [event.reason for report in reports for event in report.events]
    assert entered(reports, "loiter") == {}
