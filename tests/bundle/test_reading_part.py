"""Partial bundle: the artefacts that a board can run, with their reference outputs and evidence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeagent.bundle.reading import MANIFEST, open_bundle
from edgeagent.bundle.writing import write_bundle
from edgeagent.errors import BundleError
from edgeagent.files.hashing import hash_file
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE, fields, files, golden_bytes

LITE, B, B_OUTPUTS, CURVE = "engines/tiny.tflite", "engines/b.onnx", "golden/b.npz", "evidence/training.json"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Return a bundle of two artefacts of grid a and one of grid b, with evidence."""
    first = fields()["artefacts"][0]
    changes = {
        "artefacts": [
            first,
            {**first, "file": LITE, "format": "tflite"},
            {**first, "file": B, "grid": "b"},
        ],
        "golden": {**fields()["golden"], "other_outputs": {"b": B_OUTPUTS}},
        "evidence": {"files": [CURVE]},
    }
    content = {**files(), LITE: b"lite", B: b"b", B_OUTPUTS: golden_bytes(), CURVE: b"[]\n"}
    return write_bundle(tmp_path / "tiny", fields(**changes), content).directory


def keep(directory: Path, *names: str) -> tuple[str, ...]:
    """Remove all other files and return the names."""
    for path in list(directory.rglob("*")):
        if path.is_file() and str(path.relative_to(directory)) not in (MANIFEST, *names):
            path.unlink()
    return names


def test_a_part_opens_as_if_the_rest_were_not_written(whole: Path) -> None:
    part = keep(whole, LITE, PICTURE, OUTPUTS)
    with pytest.raises(BundleError, match=f"{ARTEFACT} is missing"):
        open_bundle(whole)
    bundle = open_bundle(whole, part)
    assert [artefact.file for artefact in bundle.manifest.artefacts] == [LITE]
    assert bundle.golden_pictures() == (whole / PICTURE,)
    assert bundle.golden_outputs(bundle.manifest.artefacts[0]) == whole / OUTPUTS
    assert bundle.manifest.golden is not None
    assert set(bundle.manifest.golden.sha256) == {PICTURE, OUTPUTS}
    assert bundle.manifest.evidence.files == {}


def test_an_artefact_of_another_grid_brings_its_own_reference_outputs(whole: Path) -> None:
    bundle = open_bundle(whole, keep(whole, B, PICTURE, B_OUTPUTS))
    assert bundle.golden_outputs(bundle.manifest.artefacts[0]) == whole / B_OUTPUTS
    assert bundle.manifest.golden is not None
    assert set(bundle.manifest.golden.sha256) == {PICTURE, B_OUTPUTS}


def test_both_grids_need_both(whole: Path) -> None:
    part = keep(whole, ARTEFACT, B, PICTURE, B_OUTPUTS)
    with pytest.raises(BundleError, match=f"{OUTPUTS} is missing"):
        open_bundle(whole, part)


def test_all_files_are_the_whole_bundle(whole: Path) -> None:
    every = [str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()]
    assert open_bundle(whole, every) == open_bundle(whole)


@pytest.mark.parametrize("damaged", [LITE, PICTURE, OUTPUTS])
def test_files_present_are_verified(whole: Path, damaged: str) -> None:
    part = keep(whole, LITE, PICTURE, OUTPUTS)
    (whole / damaged).write_bytes(b"????")
    with pytest.raises(BundleError, match=re.escape(f"{damaged} has the sha256")):
        open_bundle(whole, part)


def test_the_golden_set_may_not_be_left_out(whole: Path) -> None:
    with pytest.raises(BundleError, match=f"{PICTURE} is missing"):
        open_bundle(whole, keep(whole, LITE, OUTPUTS))


def test_one_artefact_at_least(whole: Path) -> None:
    with pytest.raises(BundleError, match=r"none of the artefacts of tiny 1\.2\.3 is there"):
        open_bundle(whole, keep(whole, PICTURE, OUTPUTS))


def test_the_hash_of_the_manifest_is_checked(whole: Path) -> None:
    digest = hash_file(whole / MANIFEST)
    assert open_bundle(whole, manifest_sha256=digest).manifest.name == "tiny"
    with (whole / MANIFEST).open("ab") as file:
        file.write(b"# another comment\n")
    with pytest.raises(BundleError, match=rf"{MANIFEST} has the sha256 .*, {digest[:12]}\.\.\. was expected"):
        open_bundle(whole, manifest_sha256=digest)
