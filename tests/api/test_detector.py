"""``open_detector``: a detector for a program of its own, on the default bundle and real engines."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

import edgeagent
from edgeagent.api.detector import MOST_IN_FLIGHT
from edgeagent.files.resources import sample_clip
from tests.included import QUICK_BUNDLE


def frames(count: int) -> list[edgeagent.Image]:
    capture = cv2.VideoCapture(str(sample_clip()))
    read = [capture.read()[1] for _ in range(count)]
    capture.release()
    return read  # type: ignore[return-value]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that all tests share, so that delegates are measured once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def detector(state: Path) -> Iterator[edgeagent.DetectorSession]:
    with edgeagent.open_detector(QUICK_BUNDLE, engine="onnxruntime", threads=1, state=state) as opened:
        yield opened


def boxes(found: edgeagent.Detections) -> list[tuple[str, list[float]]]:
    return [(one.label, [round(value, 1) for value in one.box]) for one in found]


def test_the_isolated_detector_finds_what_the_bare_engine_finds(detector: edgeagent.DetectorSession) -> None:
    (frame,) = frames(1)
    with edgeagent.open_detector(QUICK_BUNDLE, engine="onnxruntime", threads=1, isolated=False) as bare:
        wanted = bare(frame)
    assert "person" in {one.label for one in wanted}
    assert boxes(detector(frame)) == boxes(wanted)


def test_facts_name_what_serves(detector: edgeagent.DetectorSession) -> None:
    assert (detector.facts.engine, detector.facts.threads) == ("onnxruntime", 1)
    assert detector.labels[0] == "person"


def test_a_frame_without_objects_has_no_detections(detector: edgeagent.DetectorSession) -> None:
    found = detector(np.zeros((48, 64, 3), np.uint8), 0.9)
    assert (len(found), found.labels) == (0, detector.labels)


def test_the_threshold_of_one_call_counts(detector: edgeagent.DetectorSession) -> None:
    (frame,) = frames(1)
    assert len(detector(frame, 0.05)) > len(detector(frame)) > len(detector(frame, 0.99))


@pytest.mark.parametrize("in_flight", [1, 2, MOST_IN_FLIGHT])
def test_a_stream_gives_each_frame_with_its_own_detections(
    detector: edgeagent.DetectorSession, in_flight: int
) -> None:
    given = frames(12)
    wanted = [boxes(detector(frame)) for frame in given]
    streamed = list(detector.stream(iter(given), in_flight))
    assert [frame is one for (frame, _), one in zip(streamed, given, strict=True)] == [True] * 12
    assert [boxes(found) for _, found in streamed] == wanted


def test_a_stream_that_is_left_early_leaves_no_frame_in_flight(detector: edgeagent.DetectorSession) -> None:
    given = frames(MOST_IN_FLIGHT)
    for _ in range(3):
        stream = detector.stream(given, MOST_IN_FLIGHT)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    pending = [detector.submit(given[0]) for _ in range(MOST_IN_FLIGHT)]
    assert all(len(one.result()) for one in pending)


def test_a_result_can_be_taken_twice(detector: edgeagent.DetectorSession) -> None:
    pending = detector.submit(frames(1)[0])
    assert pending.result() is pending.result()


def test_more_frames_than_fit_are_refused_and_nothing_is_lost(detector: edgeagent.DetectorSession) -> None:
    (frame,) = frames(1)
    pending = [detector.submit(frame) for _ in range(MOST_IN_FLIGHT)]
    with pytest.raises(edgeagent.EngineError, match="take their results"):
        detector.submit(frame)
    assert len({str(boxes(one.result())) for one in pending}) == 1
    assert len(detector(frame))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((3, 48, 64), np.float32), r"got \(3, 48, 64\) float32"),
        (np.zeros((48, 64), np.uint8), r"got \(48, 64\) uint8"),
        (np.zeros((0, 64, 3), np.uint8), r"got \(0, 64, 3\) uint8"),
        ("picture.jpg", "got str"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(
    detector: edgeagent.DetectorSession, frame: edgeagent.Image, said: str
) -> None:
    with pytest.raises(edgeagent.DataError, match=said):
        detector(frame)


@pytest.mark.parametrize("in_flight", [0, MOST_IN_FLIGHT + 1])
def test_an_impossible_number_in_flight_is_refused(
    detector: edgeagent.DetectorSession, in_flight: int
) -> None:
    with pytest.raises(edgeagent.EngineError, match="in_flight"):
        next(detector.stream([], in_flight))


def workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "edgeagent.worker.process" in " ".join(child.cmdline())
    ]


def test_a_worker_that_is_killed_costs_no_frame(state: Path) -> None:
    given = frames(6)
    before = {one.pid for one in workers()}
    with edgeagent.open_detector(QUICK_BUNDLE, engine="onnxruntime", threads=1, state=state) as detector:
        wanted = [boxes(detector(frame)) for frame in given]
        found = []
        for number, (_, detections) in enumerate(detector.stream(given, 3)):
            found.append(boxes(detections))
            if number == 1:
                (worker,) = [one for one in workers() if one.pid not in before]
                os.kill(worker.pid, signal.SIGKILL)
    assert found == wanted


def test_the_worker_ends_with_the_detector(state: Path) -> None:
    before = {one.pid for one in workers()}
    with edgeagent.open_detector(QUICK_BUNDLE, engine="onnxruntime", threads=1, state=state) as detector:
        (own,) = [one for one in workers() if one.pid not in before]
    own.wait(10)
    with pytest.raises(edgeagent.EngineError, match="closed"):
        detector(frames(1)[0])
    detector.close()


def test_measured_delegates_are_recorded_for_the_next_start(tmp_path: Path) -> None:
    edgeagent.open_detector(QUICK_BUNDLE, engine="onnxruntime", threads=1, state=tmp_path).close()
    assert (tmp_path / "verdicts.json").is_file()


def test_a_state_folder_that_cannot_be_written_costs_only_the_record(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with edgeagent.open_detector(
        QUICK_BUNDLE, engine="onnxruntime", threads=1, state=tmp_path / "file"
    ) as detector:
        assert len(detector(frames(1)[0]))


@pytest.mark.parametrize("isolated", [True, False])
def test_a_missing_bundle_is_refused(tmp_path: Path, isolated: bool) -> None:
    with pytest.raises(edgeagent.BundleError, match="no such bundle"):
        edgeagent.open_detector(tmp_path / "nothing", isolated=isolated)


@pytest.mark.parametrize("isolated", [True, False])
def test_an_engine_that_is_not_known_is_refused(isolated: bool) -> None:
    with pytest.raises(edgeagent.ConfigurationError, match="tensorflow"):
        edgeagent.open_detector(QUICK_BUNDLE, engine="tensorflow", isolated=isolated)


def test_an_open_bundle_is_taken_as_it_is(state: Path) -> None:
    bundle = edgeagent.open_bundle(QUICK_BUNDLE)
    with edgeagent.open_detector(bundle, engine="onnxruntime", threads=1, state=state) as detector:
        assert detector.labels == bundle.manifest.labels
