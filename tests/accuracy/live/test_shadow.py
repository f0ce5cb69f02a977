"""The last good model beside a trial: it compares what it can, and never holds a frame up."""

from __future__ import annotations

from pathlib import Path
from queue import Queue

import numpy as np

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.live.shadow import Shadow
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.frame_result import Result
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import rank_candidates
from edgeagent.imaging.frame import Frame, Image
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE

PATIENCE = 60.0


def settings(folder: Path) -> Settings:
    return Settings(
        state=folder / "state",
        cameras=(CameraSettings(name="yard", source="0"),),
        model=ModelSettings(bundle=QUICK_BUNDLE, engine="onnxruntime-cpu", threads=1),
    )


class Beside:
    """A shadow of one bundle beside a detector of another."""

    def __init__(self, folder: Path, good: Bundle, trial: Bundle, every: int = 1) -> None:
        self.agreed: Queue[Agreement] = Queue()
        self.ended: Queue[str] = Queue()
        self.detector = load_bundle_detector(trial, "onnxruntime", 1, 0.65)
        self._buffers = self.detector.allocate()

        def loaded() -> Detector:
            return rank_candidates(good, settings(folder), Journal(folder / "journal")).start()

        self.shadow = Shadow(loaded, settings(folder).model, every, self.agreed.put, self.ended.put)
        self.shadow.start()

    def offer(self, image: Image) -> None:
        self.shadow.offer(result(self.detector, image))

    def offer_until_compared(self, image: Image) -> Agreement:
        """ChannelEntry a frame again and again, as a camera does, until the shadow was free for one."""
        while self.agreed.empty():
            self.offer(image)
            assert self.ended.empty()
        return self.agreed.get()


def result(detector: Detector, image: Image) -> Result:
    found = detector.detect(image, detector.allocate(), 0.3)
    return Result("yard", Frame(image, 1, 0, 0.0), found, detector, 1)


def test_the_same_model_agrees_with_itself(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells")
    beside = Beside(tmp_path, bundle, bundle)
    try:
        assert beside.offer_until_compared(cells.picture()) == Agreement(1, 2, 4)
    finally:
        beside.shadow.stop()


def test_labels_are_compared_by_their_names(tmp_path: Path) -> None:
    good = cells.build_bundle(tmp_path / "good")
    trial = cells.build_bundle(tmp_path / "trial", labels=[*reversed(cells.LABELS)])
    beside = Beside(tmp_path, good, trial)
    try:
        assert beside.offer_until_compared(cells.picture()) == Agreement(1, 0, 4)
    finally:
        beside.shadow.stop()


def test_a_frame_is_copied_before_its_buffer_goes_round(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells")
    beside = Beside(tmp_path, bundle, bundle)
    try:
        beside.offer_until_compared(cells.picture())
        while not beside.agreed.empty():
            beside.agreed.get()
        image = cells.picture()
        dropped = beside.shadow.dropped
        while beside.shadow.dropped == dropped and beside.agreed.empty():
            beside.offer(image)
            image[:] = 0  # the camera writes its next frame there
            image = cells.picture()
        assert beside.agreed.get(timeout=PATIENCE) == Agreement(1, 2, 4)
    finally:
        beside.shadow.stop()


def test_only_every_kth_frame_has_its_turn(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells")

    def loaded() -> Detector:
        return load_bundle_detector(bundle, "onnxruntime", 1, 0.65)

    shadow = Shadow(loaded, settings(tmp_path).model, 5, print, print)
    offered = result(load_bundle_detector(bundle, "onnxruntime", 1, 0.65), np.zeros((32, 64, 3), np.uint8))
    for _ in range(12):
        shadow.offer(offered)
    assert shadow.dropped == 2  # it was never started, so that it is not free


def test_a_shadow_that_cannot_load_says_why_and_takes_no_frame(tmp_path: Path) -> None:
    good, trial = cells.build_bundle(tmp_path / "good"), cells.build_bundle(tmp_path / "trial")
    (good.directory / "engines" / "tiny.onnx").write_bytes(b"gone")
    beside = Beside(tmp_path, good, trial)
    assert "no delegate serves tiny 1.2.3" in beside.ended.get(timeout=PATIENCE)
    beside.offer(cells.picture())
    assert beside.shadow.dropped == 1
    beside.shadow.stop()
