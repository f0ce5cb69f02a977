"""The model is exchanged while frames flow: none is lost, and each has the labels of what found it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.camera.capture import Camera
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result, ScoreThresholds
from edgeagent.detection.journal import Journal
from edgeagent.detection.pipeline import Pipeline
from edgeagent.detection.ranking import RankedCandidates, rank_candidates
from edgeagent.detection.serving_state import Change
from edgeagent.errors import EngineError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from tests.camera.media import write_pictures
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE

PATIENCE = 60.0
FRAMES = 20


def settings(folder: Path) -> Settings:
    return Settings(
        state=folder / "state",
        cameras=(CameraSettings(name="yard", source="0"),),
        model=ModelSettings(bundle=QUICK_BUNDLE, engine="onnxruntime-cpu", threads=1),
    )


def chosen(bundle: Bundle, folder: Path) -> RankedCandidates:
    return rank_candidates(bundle, settings(folder), Journal(folder / "journal"))


class Run:
    """A pipeline over a folder of pictures, again and again."""

    def __init__(self, models: ModelExchange, folder: Path) -> None:
        self.results: list[tuple[int, int]] = []
        self._came = threading.Condition()
        self.pipeline = Pipeline(
            models, ScoreThresholds.one(0.3), self._deliver, lambda *_: None, lambda: None
        )
        self.camera = Camera(
            CameraSettings(name="yard", source=str(folder), pace="unthrottled", loop=True),
            on_frame=self.pipeline.wake,
        )

    def start(self) -> None:
        self.pipeline.start([self.camera])
        self.camera.start()

    def wait_for_frames(self, count: int, classes: int) -> None:
        with self._came:
            found = self._came.wait_for(
                lambda: sum(labels == classes for _, labels in self.results) >= count, PATIENCE
            )
            assert found, self.results[-5:]

    def stop(self) -> None:
        self.pipeline.stop()
        self.camera.stop()

    def _deliver(self, result: Result) -> None:
        with self._came:
            self.results.append((result.frame.sequence, len(result.labels)))
            self._came.notify_all()


def test_no_frame_is_lost_when_the_model_is_exchanged(tmp_path: Path) -> None:
    changes: list[Change] = []
    first = chosen(open_bundle(QUICK_BUNDLE), tmp_path)
    models = ModelExchange(settings(tmp_path).model, first, changes.append)
    models.start()
    run = Run(models, write_pictures(tmp_path / "pictures", FRAMES, (64, 32)))
    run.start()
    try:
        run.wait_for_frames(10, classes=80)
        old = models.serving
        models.exchange(chosen(cells.build_bundle(tmp_path / "cells"), tmp_path))
        assert models.bundle.manifest.name == "tiny"
        assert old.current(0) is None
        run.wait_for_frames(10, classes=2)
    finally:
        run.stop()
        models.stop()
    assert run.pipeline.failure is None
    assert [sequence for sequence, _ in run.results] == list(range(len(run.results)))
    classes = [count for _, count in run.results]
    assert set(classes) == {80, 2}
    assert classes == sorted(classes, reverse=True)
    assert [change.serving for change in changes] == ["onnxruntime-cpu engines/tiny.onnx"]


def test_one_that_cannot_start_leaves_the_old_one_alone(tmp_path: Path) -> None:
    models = ModelExchange(settings(tmp_path).model, chosen(cells.build_bundle(tmp_path / "cells"), tmp_path))
    models.start()
    bad = chosen(cells.build_bundle(tmp_path / "bad"), tmp_path)
    (tmp_path / "bad" / "engines" / "tiny.onnx").write_bytes(b"gone")
    before = models.serving
    try:
        with pytest.raises(EngineError, match="no delegate serves"):
            models.exchange(bad)
        assert models.serving is before
        assert models.current(0) is not None
    finally:
        models.stop()


def test_without_frames_it_is_exchanged_as_well(tmp_path: Path) -> None:
    models = ModelExchange(settings(tmp_path).model, chosen(cells.build_bundle(tmp_path / "one"), tmp_path))
    models.start()
    models.exchange(chosen(cells.build_bundle(tmp_path / "two", version="2.0.0"), tmp_path))
    try:
        assert models.bundle.manifest.version == "2.0.0"
        assert models.current(0) is not None
    finally:
        models.stop()


def test_one_that_comes_after_the_end_does_not_stay(tmp_path: Path) -> None:
    models = ModelExchange(settings(tmp_path).model, chosen(cells.build_bundle(tmp_path / "one"), tmp_path))
    models.start()
    models.stop()
    models.exchange(chosen(cells.build_bundle(tmp_path / "two", version="2.0.0"), tmp_path))
    assert models.bundle.manifest.version == "1.2.3"
    assert models.current(0) is None
