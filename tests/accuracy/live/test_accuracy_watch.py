"""What a device finds out about its model, with real engines; only the frames are made up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest

from edgeagent.accuracy.agreement_window import LEAST_PICTURES
from edgeagent.accuracy.drift import DAY, HOLD, SLOT, Hysteresis, SavedDrift
from edgeagent.accuracy.drift_file import FOLDER, read_drift, write_drift
from edgeagent.accuracy.live.accuracy_watch import AccuracyCallbacks, AccuracyWatch
from edgeagent.accuracy.live.agreement_run import DeviceModels
from edgeagent.accuracy.live.camera_drift import model_key
from edgeagent.accuracy.scene import SceneCounts
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import rank_candidates
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.vision.detections import Detections
from tests.bundle.tiny import ARTEFACT
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE

PATIENCE = 60.0
QUIET = AccuracySettings(golden_every=None, drift=False)


class Device:
    """A model that serves, and what is told of it."""

    def __init__(self, folder: Path, bundle: Bundle, accuracy: AccuracySettings) -> None:
        self.settings = Settings(
            state=folder / "state",
            cameras=(CameraSettings(name="yard", source="0"),),
            model=ModelSettings(bundle=QUICK_BUNDLE, engine="onnxruntime-cpu", threads=1),
            accuracy=accuracy,
        )
        self._journal = Journal(folder / "journal")
        self.models = ModelExchange(
            self.settings.model, rank_candidates(bundle, self.settings, self._journal)
        )
        self.messages: Queue[bytes] = Queue()
        self.drifted: Queue[tuple[str, str | None]] = Queue()
        self.agreement: Queue[str | None] = Queue()
        self.previous: Callable[[], Bundle | None] = lambda: None
        self.watch = AccuracyWatch(
            self.settings,
            DeviceModels(self.models, self._journal, lambda: self.previous()),
            None,
            17,
            AccuracyCallbacks(
                self.messages.put,
                lambda camera, text: self.drifted.put((camera, text)),
                self.agreement.put,
            ),
        )

    def exchange(self, bundle: Bundle) -> None:
        self.models.exchange(rank_candidates(bundle, self.settings, self._journal))
        self.watch.changed(self.models.serving.state())

    def frames(self, brightness: int, count: int, found: Detections | None = None) -> None:
        """Show frames that were captured 10 s apart."""
        detector = self.models.current(PATIENCE)
        assert detector is not None
        image = np.full((cells.HEIGHT, cells.WIDTH, 3), brightness, np.uint8)
        for number in range(1, count + 1):
            frame = Frame(image, number, number * 10**10, 0.0)
            self.watch.frame(Result("yard", frame, found or Detections.empty(), detector, 1))

    def message(self, wanted: Callable[[Any], bool]) -> Any:
        while True:
            message = json.loads(self.messages.get(timeout=PATIENCE))
            if wanted(message):
                return message


@contextmanager
def device(folder: Path, bundle: Bundle, accuracy: AccuracySettings) -> Iterator[Device]:
    made = Device(folder, bundle, accuracy)
    made.models.start()
    made.watch.start()
    try:
        yield made
    finally:
        made.watch.stop()
        made.models.stop()


def test_golden_pictures_are_run_at_the_start_and_after_a_change(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    bundle = cells.build_bundle(tmp_path / "one", claim=0.9)
    other = cells.build_bundle(tmp_path / "other", claim=0.8, version="2.0.0")
    with device(tmp_path, bundle, AccuracySettings(drift=False)) as made:
        first = made.message(lambda m: "golden" in m)
        assert first["model"] == "tiny 1.2.3"
        assert first["run"] == 17
        assert first["golden"]["map50_95"] == pytest.approx(1.0)
        assert (first["golden"]["claimed"], first["golden"]["pictures"]) == (0.9, 1)
        assert first["golden"]["labelled_by"] == "people"
        made.exchange(other)
        assert "golden" not in made.message(lambda m: m["model"] == "tiny 2.0.0"), "it was of another model"
        assert made.message(lambda m: "golden" in m)["golden"]["claimed"] == 0.8


def test_without_labels_the_message_says_so(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "one")
    with device(tmp_path, bundle, AccuracySettings(drift=False)) as made:
        golden = made.message(lambda m: "golden" in m)["golden"]
    assert golden["reason"] == "the bundle has no labelled golden pictures"
    assert not {"map50_95", "claimed", "pictures", "labelled_by"} & set(golden)


def test_without_pycocotools_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)  # as where it is not installed
    bundle = cells.build_bundle(tmp_path / "one", claim=0.9)
    with device(tmp_path, bundle, AccuracySettings(drift=False)) as made:
        golden = made.message(lambda m: "golden" in m)["golden"]
    assert "evaluation needs pycocotools" in golden["reason"]
    assert "map50_95" not in golden


def day(brightness_bin: int, slots: int) -> SceneCounts:
    counts = SceneCounts(len(cells.LABELS))
    counts.frames = slots * SLOT
    counts.counts["brightness"][brightness_bin] = slots * SLOT
    counts.contributing["brightness"] = slots * SLOT
    return counts


def test_drift_is_told_kept_and_told_again_after_a_restart(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "one")
    accuracy = AccuracySettings(golden_every=None, drift_days=1)
    path, key = (
        tmp_path / "state" / FOLDER / "yard.json",
        model_key(bundle.manifest, ModelSettings().score_threshold, 1),
    )
    almost = {"brightness": Hysteresis(count=HOLD["brightness"] - 1)}
    window = tuple(day(7, 1) for _ in range(DAY))
    write_drift(path, key, SavedDrift(day(1, DAY), window, SceneCounts(len(cells.LABELS)), almost))  # type: ignore[arg-type]
    with device(tmp_path, bundle, accuracy) as made:
        assert made.message(lambda m: "drift" in m)["drift"]["yard"]["state"] == "steady"
        made.frames(255, SLOT - 1)
        assert made.drifted.empty()
        made.frames(255, 1)  # captured before the others: no sample
        assert made.drifted.empty()
        detector = made.models.current(PATIENCE)
        assert detector is not None
        late = Frame(np.full((32, 64, 3), 255, np.uint8), 0, 10**13, 0.0)
        made.watch.frame(Result("yard", late, Detections.empty(), detector, 1))
        camera, text = made.drifted.get(timeout=PATIENCE)
        assert camera == "yard"
        assert text is not None
        assert "brightness (stability index" in text
        told = made.message(lambda m: m["drift"]["yard"]["state"] == "drifted")["drift"]["yard"]
        assert told["quantities"]["brightness"]["drifted"]
        assert told["quantities"]["brightness"]["p_value"] < 1e-3
        assert list(told["quantities"]) == ["brightness"], "the saved days have nothing else"
    saved = read_drift(path, key, len(cells.LABELS))
    assert saved is not None
    assert saved.hysteresis["brightness"].drifted
    other = cells.build_bundle(tmp_path / "other", version="2.0.0")
    with device(tmp_path, bundle, accuracy) as made:
        assert made.drifted.get(timeout=PATIENCE)[1] is not None, "it still is"
        made.exchange(other)
        assert made.drifted.get(timeout=PATIENCE) == ("yard", None), "of another model nothing is known"
        anew = made.message(lambda m: m["model"] == "tiny 2.0.0")["drift"]["yard"]
        assert (anew["state"], anew["reference_frames"]) == ("collecting", 0)


def offer_until_compared(made: Device, found: Detections) -> Any:
    while True:
        made.frames(0, 3, found)
        if not made.messages.empty():
            message = json.loads(made.messages.get())["agreement"]
            if message["frames"] or "reason" in message:
                return message


@pytest.fixture
def compare() -> AccuracySettings:
    return QUIET.model_copy(update={"agreement_every": 2, "interval": 0.2})


def test_the_good_model_before_is_the_reference(tmp_path: Path, compare: AccuracySettings) -> None:
    bundle = cells.build_bundle(tmp_path / "one")
    made = Device(tmp_path, bundle, compare)
    made.previous = lambda: cells.build_bundle(tmp_path / "previous", version="1.0.0")
    made.watch.start()
    try:
        box = Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
        told = offer_until_compared(made, box)
        assert told["reference"] == "tiny 1.0.0"
        assert (told["boxes"], told["matched"], told["matched_share"]) == (told["frames"], 0, 0.0)
        assert "mean_score_difference" not in told, "there is no pair"
        while made.agreement.empty():
            made.frames(0, 3, box)
        text = made.agreement.get(timeout=PATIENCE)
        assert text is not None
        assert "are found by both the serving model and tiny 1.0.0" in text
        recent = made.message(lambda m: m["agreement"]["recent"]["alarm"])["agreement"]["recent"]
        assert recent["frames"] >= LEAST_PICTURES
        assert (recent["matched_share"], recent["low"]) == (0.0, 0.0)
        assert 0 < recent["high"] < 0.5
        made.exchange(cells.build_bundle(tmp_path / "next", version="2.0.0"))
        assert made.agreement.get(timeout=PATIENCE) is None, "of another model nothing is known"
    finally:
        made.watch.stop()
        made.models.stop()


def test_a_reference_that_is_not_there_is_a_reason(tmp_path: Path, compare: AccuracySettings) -> None:
    gone = compare.model_copy(update={"agreement_reference": tmp_path / "gone.onnx"})
    with device(tmp_path, cells.build_bundle(tmp_path / "one"), gone) as made:
        told = offer_until_compared(made, Detections.empty())
    assert "gone.onnx" in told["reason"]
    assert "reference" not in told


def test_the_key_changes_with_what_changes_detections(tmp_path: Path) -> None:
    manifest = cells.build_bundle(tmp_path / "one").manifest
    (artefact,) = manifest.artefacts
    assert artefact.file == ARTEFACT
    same_name = manifest.model_copy(update={"artefacts": (artefact.model_copy(update={"sha256": "0" * 64}),)})
    keys = {model_key(one, 0.3, 7) for one in (manifest, same_name)}
    keys |= {model_key(manifest, 0.5, 7), model_key(manifest, 0.3, 1)}
    assert len(keys) == 4
    assert model_key(manifest, 0.3, 7) in keys
