"""Trials on a device: who is told what, and what serves then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.delivery.first_model import open_store, serve_first
from edgeagent.delivery.state.store import FOLDER, Store
from edgeagent.delivery.trial.gate import Passed
from edgeagent.delivery.trial.gate_report import PROBATION_REPORT, GateReport, load_report
from edgeagent.delivery.trial.model_runner import DeviceModelRunner
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.detection.detector import Detector
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.detection.ranking import rank_candidates
from edgeagent.detection.serving_state import Change
from edgeagent.errors import EngineError
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.delivery import DeliverySettings, ProbationSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.vision.detections import Detections
from tests.accuracy.test_agreement import found
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.delivery.folder_source import published
from tests.engines import cell_detector as cells

ONE, NONE = found((0, 0, 8, 8, 0)), Detections.empty()


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.ended: list[str | None] = []
        self.strikes: list[str] = []
        self.damage: list[str] = []

    def model_damaged(self, reason: str) -> Future[str]:
        self.damage.append(reason)
        return self._done()

    def trial_ended(self, reason: str | None) -> Future[str]:
        self.ended.append(reason)
        return self._done()

    def strike(self, reason: str) -> Future[str]:
        self.strikes.append(reason)
        return self._done()

    @staticmethod
    def _done() -> Future[str]:
        future: Future[str] = Future()
        future.set_result("done")
        return future


class Device:
    """A board on which the configured bundle is 1.0.0, and 2.0.0 comes."""

    def __init__(self, folder: Path, **probation: Any) -> None:
        self.configured = cells.build_bundle(folder / "configured", version="1.0.0")
        self.next = cells.build_bundle(folder / "next", version="2.0.0")
        self.settings = Settings(
            state=folder / "state",
            cameras=(CameraSettings(name="yard", source="0"),),
            model=ModelSettings(bundle=self.configured.directory, engine="onnxruntime-cpu", threads=1),
            delivery=DeliverySettings(
                repository=str(folder),
                root=folder / "root.json",
                probation=ProbationSettings(**{"time": 0.001, "frames": 70, **probation}),
            ),
        )
        self.store = Store(folder / "state" / FOLDER)
        self.models = ModelExchange(
            self.settings.model, rank_candidates(self.configured, self.settings, None)
        )
        self.models.start()
        self.board = DeviceModelRunner(self.settings, self.store, self.models, None)
        self.board.listener = self.listener = Listener()

    def passed(self, bundle: Bundle | None = None) -> Passed:
        report = GateReport(name="tiny", version="2.0.0", time="", findings=())
        return Passed(rank_candidates(bundle or self.next, self.settings, None), report, None, None)

    def frames(
        self, count: int, detections: Detections, detector: Detector | None = None, gated: bool = False
    ) -> None:
        detector = detector or self.models.current(0)
        assert detector is not None
        frame = Frame(cells.picture(), 1, 0, 0.0)
        for _ in range(count):
            self.board.frame(Result("yard", frame, detections, detector, 1_000_000, gated=gated))

    def version(self) -> str:
        return self.models.bundle.manifest.version

    def end(self) -> None:
        self.board.stop()
        self.models.stop()
        self.store.close()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.end()


def test_a_trial_that_does_as_the_model_before_is_good(device: Device) -> None:
    device.frames(70, ONE)
    device.board.serve(device.passed())
    assert device.version() == "2.0.0"
    device.board._watched.check_at = 0.0
    device.frames(70, ONE)
    device.board._watched.check_at = 0.0
    device.frames(1, ONE)
    assert device.listener.ended == [None]
    report = load_report(device.store.folder, PROBATION_REPORT)
    assert report is not None
    assert {one.check: one.outcome for one in report.findings}["rate"] == "passed"


def test_a_trial_that_finds_nothing_any_more_is_bad_and_left(device: Device) -> None:
    device.frames(70, ONE)
    device.board.serve(device.passed())
    device.frames(70, NONE)
    device.board._watched.check_at = 0.0
    device.frames(1, NONE)
    assert device.listener.ended == ["it finds 0.00 objects on a frame, 1.00 before"]
    device.board.serve(None)
    assert device.version() == "1.0.0"


def test_frames_in_which_nothing_moved_say_nothing_about_a_model(device: Device) -> None:
    device.frames(70, ONE)
    device.board.serve(device.passed())
    device.frames(200, ONE, gated=True)
    device.board._watched.check_at = 0.0
    device.frames(1, ONE, gated=True)
    assert device.listener.ended == [], "it stays on trial until the engine has worked often enough"
    device.frames(70, ONE)
    device.board._watched.check_at = 0.0
    device.frames(1, ONE, gated=True)
    assert device.listener.ended == [None]


def test_frames_of_the_model_that_left_do_not_count(device: Device) -> None:
    old = device.models.current(0)
    device.board.serve(device.passed())
    device.frames(200, ONE, old)
    device.board._watched.check_at = 0.0
    device.frames(1, ONE)
    assert device.listener.ended == []


def test_failures_are_strikes_of_the_trial_alone(device: Device) -> None:
    failed = Change("onnxruntime-cpu engines/tiny.onnx", True, "died", 0.1, failure="died of SIGSEGV")
    device.board.changed(failed)
    assert device.listener.strikes == []
    device.board.serve(device.passed())
    device.board.changed(Change("x", True, "it passed the check again"))
    assert device.listener.strikes == []
    device.board.changed(failed)
    device.board.changed(failed)
    assert device.listener.strikes == ["died of SIGSEGV"] * 2
    device.board.changed(failed)
    assert device.listener.ended == ["3 times its engine failed, the last time: died of SIGSEGV"]


def test_a_damaged_file_is_no_strike(device: Device) -> None:
    device.board.serve(device.passed())
    device.board.changed(
        Change(None, False, "died", failure="died of SIGKILL", damaged="has the sha256 0...")
    )
    assert (device.listener.strikes, device.listener.ended) == ([], [])
    assert device.listener.damage == ["has the sha256 0..."]


def test_a_trial_that_nothing_serves_any_more_ends_at_once(device: Device) -> None:
    device.board.serve(device.passed())
    device.board.changed(Change(None, False, "no file", failure="no file"))
    assert device.listener.ended == ["nothing serves it any more: no file"]


def test_a_model_that_cannot_start_leaves_everything_as_it_was(device: Device) -> None:
    passed = device.passed()
    (device.next.directory / ARTEFACT).write_bytes(b"gone")
    with pytest.raises(EngineError, match="no delegate serves"):
        device.board.serve(passed)
    assert device.version() == "1.0.0"
    device.board.changed(Change("x", True, "died", failure="died"))
    assert device.listener.strikes == []


def test_a_shadow_runs_beside_a_trial_and_ends_with_it(tmp_path: Path) -> None:
    device = Device(tmp_path, shadow_every=1, time=3600.0)
    try:
        device.board.serve(device.passed())
        watched = device.board._watched
        assert watched.shadow is not None
        assert watched.probation is not None
        detector = device.models.current(0)
        assert detector is not None
        detections = detector.detect(cells.picture(), detector.allocate(), 0.3)
        while watched.probation.findings()[-1].outcome == "absent":
            device.frames(1, detections)
        assert watched.probation.findings()[-1].measured == 1.0
        device.board.serve(None)
        assert watched.shadow is None
    finally:
        device.end()


@pytest.mark.parametrize("broken", [False, True])
def test_what_an_earlier_run_left_on_trial_serves_if_it_can(tmp_path: Path, broken: bool) -> None:
    device = Device(tmp_path)
    release = published(device.next.directory, "2.0.0", 1).release
    model = installed(release)
    shutil.copytree(device.next.directory, device.store.slots.partial(model), dirs_exist_ok=True)
    device.store.slots.seal(model, (MANIFEST, ARTEFACT, PICTURE, OUTPUTS))
    device.store.begin(model, "channel")
    for state in ("verifying", "staged", "gating", "trial"):
        device.store.move(state)
    device.end()
    store = open_store(device.settings).store
    assert store is not None

    def make(bundle: Bundle) -> ModelExchange:
        if broken and bundle.manifest.version == "2.0.0":
            raise EngineError("no delegate serves")
        return ModelExchange(device.settings.model, rank_candidates(bundle, device.settings, None))

    models = serve_first(device.settings, store, make)
    assert models.bundle.manifest.version == ("1.0.0" if broken else "2.0.0")
    deployment = store.record.deployment
    assert deployment is not None
    assert deployment.state == ("rolled_back" if broken else "trial")
    models.stop()
