"""Labelled golden pictures: what is claimed, what is measured, and where the labels come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeagent.accuracy.coco_map import NoAccuracyError
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.accuracy.golden_accuracy import golden_labels, measure_golden
from edgeagent.accuracy.golden_claims import claims, label_file_name, labels_by
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.engines.loading import available_engines
from edgeagent.errors import BundleError
from edgeagent.files.resources import included_bundles
from tests.bundle.tiny import ARTEFACT, PICTURE
from tests.engines import cell_detector as cells


def detector(bundle: Bundle) -> Detector:
    return load_bundle_detector(bundle, "onnxruntime", 1, IOU_THRESHOLD)


@pytest.mark.parametrize(("claim", "right"), [(1.0, False), (0.6, True), (0.61, False)])
def test_as_much_less_as_the_tolerance_may_be_measured(tmp_path: Path, claim: float, right: bool) -> None:
    half = cells.label_lines([*cells.CELLS, (0, 0), (4, 1)])  # two of these four can be seen
    bundle = cells.build_bundle(tmp_path / "cells", claim=claim, truth=half)
    result = measure_golden(bundle, bundle.manifest.artefacts[0], detector(bundle))
    assert result is not None
    assert result.measured == pytest.approx(51 / 101)
    assert result.right == right


def test_without_labels_or_a_claim_nothing_is_measured(tmp_path: Path) -> None:
    bare = cells.build_bundle(tmp_path / "bare")
    assert golden_labels(bare) is None
    assert measure_golden(bare, bare.manifest.artefacts[0], detector(bare)) is None
    labelled = cells.build_bundle(tmp_path / "labelled", claim=1.0)
    other = labelled.manifest.artefacts[0].model_copy(update={"file": "other.onnx"})
    assert measure_golden(labelled, other, detector(labelled)) is None


def test_labels_without_an_object_have_no_accuracy(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells", claim=1.0, truth="")
    with pytest.raises(NoAccuracyError, match="no object at all"):
        measure_golden(bundle, bundle.manifest.artefacts[0], detector(bundle))


def test_a_label_file_is_verified_like_every_other(tmp_path: Path) -> None:
    directory = cells.build_bundle(tmp_path / "cells", claim=1.0).directory
    (directory / cells.LABELS_FILE).write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(BundleError, match=r"golden/0\.txt has the sha256"):
        open_bundle(directory)


def test_labels_are_of_golden_pictures(tmp_path: Path) -> None:
    golden = {"pictures": [PICTURE], "outputs": "golden/outputs.npz", "tolerance": 2.0}
    accuracy = {
        "labels": {"golden/7.png": PICTURE},
        "labelled_by": "people",
        "map50_95": {ARTEFACT: 1.0},
        "tolerance": 0.1,
    }
    with pytest.raises(BundleError, match=r"accuracy\.labels: 'golden/7\.png': no golden picture"):
        cells.build_bundle(tmp_path / "cells", golden={**golden, "accuracy": accuracy})


def test_what_a_detector_finds_becomes_labels_that_it_finds_again(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells")
    (text,) = labels_by(detector(bundle), bundle.golden_pictures())
    assert sorted(text.decode().splitlines()) == [
        f"0 {(8 * c + 4) / 64:.6f} {(8 * r + 4) / 32:.6f} {8 / 64:.6f} {8 / 32:.6f}" for c, r in cells.CELLS
    ]
    file = tmp_path / "0.txt"
    file.write_bytes(text)
    data = LabelledPictures(bundle.golden_pictures(), (file,))
    assert evaluate_detector(detector(bundle), data).map50_95 == pytest.approx(1)


def test_a_claim_is_the_lowest_of_the_engines_that_are_here(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells", claim=0.0)
    (artefact,), data = bundle.manifest.artefacts, golden_labels(bundle)
    assert data is not None
    found = claims(bundle.manifest, {ARTEFACT: (bundle.artefact_path(artefact), artefact)}, data)
    assert found == {ARTEFACT: pytest.approx(1.0)}


@pytest.mark.parametrize("name", sorted(included_bundles()))
def test_an_included_bundle_holds_what_it_claims(name: str) -> None:
    bundle = open_bundle(included_bundles()[name])
    golden = bundle.manifest.golden
    assert golden is not None
    assert golden.accuracy is not None
    assert golden.accuracy.labelled_by == "float model"
    assert set(golden.accuracy.labels) == set(golden.pictures)
    for artefact in bundle.manifest.artefacts:
        if artefact.format == "onnx" or "tflite" in available_engines():
            loaded = load_bundle_detector(bundle, "auto", 0, IOU_THRESHOLD, artefact.file)
            result = measure_golden(bundle, artefact, loaded)
            assert result is not None
            assert result.right, result.describe()


def test_a_label_file_lies_beside_its_picture() -> None:
    assert label_file_name("golden/campus-2.jpg") == "golden/campus-2.txt"


def test_people_pair_labels_and_pictures_by_stem(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells", claim=1.0)
    (tmp_path / "labels").mkdir()
    shutil.copy(bundle.directory / cells.LABELS_FILE, tmp_path / "labels" / "0.txt")
    data = LabelledPictures.pair(bundle.golden_pictures(), tmp_path / "labels")
    assert data.label_files == (tmp_path / "labels" / "0.txt",)
