"""Application of changed settings: all parts follow, or all are as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.cameras import Cameras
from edgeagent.daemon.live.applying import Applying
from edgeagent.daemon.live.following import Following
from edgeagent.daemon.live.part import LivePart, LiveStep
from edgeagent.detection.detectors import OneDetector
from edgeagent.detection.frame_result import ScoreThresholds
from edgeagent.detection.pipeline import Pipeline
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.settings.live.comparison import SettingsChange, compare
from edgeagent.settings.schema import Settings
from tests.camera.media import write_pictures
from tests.daemon.running import PATIENCE


def pipeline() -> Pipeline:
    """A pipeline that nobody starts."""
    unused: Any = None
    return Pipeline(OneDetector(unused), ScoreThresholds.one(0.5), unused, unused, on_end=lambda: None)


class Written:
    """Part that writes down what it does, and may fail."""

    def __init__(self, fails: str = "") -> None:
        self.done: list[str] = []
        self.runs: Settings | None = None
        self.fails = fails

    def prepare(self, change: SettingsChange) -> LiveStep:
        self._do("prepare")

        def commit() -> None:
            self._do("commit")
            self.runs = change.after

        return LiveStep(commit, lambda: self._do("after"))

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self.fails:
            self.fails = ""
            raise ConfigurationError(what) if what == "prepare" else OSError(what)


def settings(pictures: Path, *names: str, fps: float = 5.0) -> Settings:
    cameras = [{"name": name, "source": str(pictures), "fps": fps, "loop": True} for name in names]
    return Settings.model_validate({"device": "board", "cameras": cameras})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 3)


def test_all_prepare_before_one_commits(pictures: Path) -> None:
    order: list[str] = []

    class Part(Written):
        def _do(self, what: str) -> None:
            order.append(what)

    Applying(pipeline(), [Part(), Part()]).apply(
        compare(settings(pictures, "yard"), settings(pictures, "yard", "dock"))
    )
    assert order == ["prepare", "prepare", "commit", "commit", "after", "after"]


@pytest.mark.parametrize("fails", ["prepare", "commit", "after"])
def test_what_fails_leaves_the_cameras_as_they_were(fails: str, pictures: Path) -> None:
    before = settings(pictures, "yard", "gate")
    cameras = Cameras(before.cameras, lambda: None, lambda *_: None)
    yard, gate = cameras.cameras
    cameras.start()
    try:
        other = settings(pictures, "yard", "dock")
        broken = Written(fails)
        parts: list[LivePart] = [cameras, broken]
        with pytest.raises(EdgeagentError, match=fails):
            Applying(pipeline(), parts).apply(compare(before, other))
        assert [camera.name for camera in cameras.cameras] == ["yard", "gate"]
        assert cameras.cameras[0] is yard
        assert broken.runs in (None, before)
        assert all(camera.wait_for("running", timeout=PATIENCE) for camera in cameras.cameras)
        assert gate in cameras.cameras or gate.state == "ended"
        Applying(pipeline(), parts).apply(compare(before, other))
        assert [camera.name for camera in cameras.cameras] == ["yard", "dock"]
        assert cameras.cameras[1].wait_for("running", timeout=PATIENCE)
        assert gate.state == "ended" or gate not in cameras.cameras
    finally:
        cameras.stop()


def test_a_camera_that_stays_has_its_new_weight(pictures: Path) -> None:
    before = settings(pictures, "yard")
    cameras = Cameras(before.cameras, lambda: None, lambda *_: None)
    (yard,) = cameras.cameras
    heavy = before.cameras[0].model_copy(update={"weight": 3.0})
    after = before.model_copy(update={"cameras": (heavy,)})
    Applying(pipeline(), [cameras]).apply(compare(before, after))
    assert cameras.cameras == [yard]
    assert yard.settings.weight == 3.0


def test_parts_are_asked_for_their_keys_only(pictures: Path) -> None:
    change = compare(settings(pictures, "yard"), settings(pictures, "yard", fps=7.0))
    assert Following(lambda _: None, "telemetry").prepare(change) is None
    assert Following(lambda _: None, "cameras").prepare(change) is not None
    assert Following(None).prepare(change) is not None
