"""The same pictures and labels give the same result in every layout."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.labels import LabelledData
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector, load_bundle_detector
from tests.datasets.layouts import (
    Box,
    Scene,
    cell_scene,
    write_coco,
    write_pairs,
    write_roboflow,
    write_ultralytics,
)
from tests.engines import cell_detector as cells

PLACES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=4, unique=True)
BOXES = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(0, 47), st.integers(0, 23), st.integers(1, 16), st.integers(1, 8)
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Finds white cells in black pictures, as persons."""
    bundle = cells.build_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
    return load_bundle_detector(bundle, "onnxruntime", 1, IOU_THRESHOLD)


def _folders(scenes: Sequence[Scene], folder: Path) -> LabelledData:
    write_pairs(scenes, folder / "a", folder / "b")
    return LabelledPictures.find(folder / "a", folder / "b")


def _opened(path: Path) -> LabelledData:
    return Dataset.find(path).open(None, "val")


LAYOUTS: dict[str, Callable[[Sequence[Scene], Path], LabelledData]] = {
    "folders": _folders,
    "ultralytics": lambda scenes, folder: _opened(write_ultralytics(scenes, folder)),
    "ultralytics folder": lambda scenes, folder: _opened(write_ultralytics(scenes, folder).parent),
    "roboflow": lambda scenes, folder: _opened(write_roboflow(scenes, folder)),
    "roboflow coco": lambda scenes, folder: _opened(
        write_coco(scenes, folder, "valid/_annotations.coco.json", "valid").parents[1]
    ),
    "coco": lambda scenes, folder: _opened(
        write_coco(scenes, folder, "annotations/instances_val2017.json", "val2017")
    ),
    "coco folder": lambda scenes, folder: _opened(
        write_coco(scenes, folder, "annotations/instances_val.json", "images/val").parents[1]
    ),
}


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(st.lists(st.tuples(PLACES, BOXES), min_size=1, max_size=3))
def test_the_same_pictures_have_the_same_map(
    detector: Detector, drawn: list[tuple[list[tuple[int, int]], list[Box]]]
) -> None:
    scenes = [cell_scene(places, more) for places, more in drawn]
    scenes.append(cell_scene(((2, 1), (6, 3)), [(1, 0.0, 0.0, 16.0, 8.0)]))
    results = {}
    for name, write in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            results[name] = evaluate_detector(detector, write(scenes, Path(folder)))
    expected = results["folders"]
    assert expected.images == len(scenes)
    assert 0 < expected.map50_95 < 1
    assert results == dict.fromkeys(LAYOUTS, expected)
