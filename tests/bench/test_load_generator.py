from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from edgeagent.bench.camera_scenario import play_clip
from edgeagent.bench.load_generator import PICTURE_STAGES, cycle_pictures, picture_order, run_block
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.frame_result import STAGES as PIPELINE_STAGES
from edgeagent.errors import CameraError
from edgeagent.files.resources import sample_clip
from tests.bench.made import ScriptedMeter
from tests.engines.cell_detector import build_bundle, picture


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detector]:
    bundle = build_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
    detector = load_bundle_detector(bundle, "onnxruntime", 1, 0.65)
    yield detector
    detector.engine.close()


def test_a_seed_fixes_the_order_and_no_picture_comes_more_often() -> None:
    first = list(islice(picture_order(5, 7), 50))
    assert first == list(islice(picture_order(5, 7), 50)) != list(islice(picture_order(5, 8), 50))
    for start in range(0, 50, 5):
        assert sorted(first[start : start + 5]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("samples", "queries"), [(1, 7), (8, 3)])
def test_the_least_number_of_queries_is_put(detector: Detector, samples: int, queries: int) -> None:
    pictures = cycle_pictures([picture()], 0)
    block = run_block(detector, detector.allocate(), pictures, samples, 0.0, queries)
    assert (len(block.queries_ns), block.samples) == (queries, samples * queries)
    assert {len(times) for times in block.stages_ns.values()} == {samples * queries}
    assert tuple(block.stages_ns) == PICTURE_STAGES
    assert sum(block.queries_ns) <= block.seconds * 1e9
    assert block.energy_j is None


def test_the_least_time_is_reached(detector: Detector) -> None:
    block = run_block(detector, detector.allocate(), cycle_pictures([picture()], 0), 1, 0.05, 1)
    assert block.seconds >= 0.05
    assert len(block.queries_ns) > 1


def test_the_stages_of_a_query_are_within_it(detector: Detector) -> None:
    block = run_block(detector, detector.allocate(), cycle_pictures([picture()], 0), 2, 0.0, 5)
    parts = zip(*(block.stages_ns[stage] for stage in PICTURE_STAGES), strict=True)
    for preprocess, inference, decode, whole in parts:
        assert preprocess + inference + decode == whole
    for number, query in enumerate(block.queries_ns):
        assert sum(block.stages_ns["end_to_end"][2 * number : 2 * number + 2]) <= query


@pytest.mark.parametrize(("readings", "used"), [((3.0, 8.0), 5.0), ((None, 8.0), None), ((3.0, None), None)])
def test_energy_is_read_around_the_block(
    detector: Detector, readings: tuple[float | None, ...], used: float | None
) -> None:
    meter = ScriptedMeter(*readings)
    pictures = cycle_pictures([picture()], 0)
    block = run_block(detector, detector.allocate(), pictures, 1, 0.0, 2, meter.read_j)
    assert block.energy_j == used
    assert block.energy_s == block.seconds


def test_a_clip_through_the_pipeline(detector: Detector) -> None:
    block = play_clip(detector, sample_clip(), 0.0, 30)
    assert block.samples == len(block.queries_ns) >= 30
    assert set(block.stages_ns) == set(PIPELINE_STAGES)
    assert block.samples / block.seconds > 0
    assert block.energy_s > 0


def test_a_clip_that_is_shorter_starts_again(detector: Detector) -> None:
    assert play_clip(detector, sample_clip(), 0.0, 450).samples >= 450


def test_a_clip_that_cannot_be_opened(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"none\.mp4"):
        play_clip(detector, tmp_path / "none.mp4", 0.0, 5)
