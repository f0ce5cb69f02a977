from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.evidence import (
    BOXES,
    FILES,
    MAX_RECORDS,
    PARITY,
    SEEDS,
    SENSITIVITY,
    TRAINING,
    ArtefactParity,
    Differences,
    EvidenceFile,
    LayerParity,
    PictureBoxes,
    SeedResult,
    SensitivityRecord,
    TrainingPoint,
)
from edgeagent.bundle.reading import MANIFEST, Bundle, open_bundle
from edgeagent.bundle.writing import write_bundle
from edgeagent.errors import BundleError
from tests.bundle.tiny import fields, files

DIFFERENCES = Differences(share=0.25, mean=0.5, largest=3)
RECORDS: list[tuple[EvidenceFile[Any], list[Any]]] = [
    (TRAINING, [TrainingPoint(step=0, loss=1.5), TrainingPoint(step=1, loss=-0.5, validation=0.25)]),
    (
        SENSITIVITY,
        [SensitivityRecord(node="/conv/Conv", macs=12, error=0.125), SensitivityRecord(node="b", error=0)],
    ),
    (SEEDS, [SeedResult(seed=3, engine="tflite 2.3", map50_95=0.25, map50=0.5)]),
    (
        PARITY,
        [
            ArtefactParity(
                file="m.onnx",
                engine="e 1",
                pictures=2,
                layers=(
                    LayerParity(tensor="t", operator="Conv", alone=DIFFERENCES, accumulated=DIFFERENCES),
                ),
                not_compared=("x",),
            )
        ],
    ),
    (
        BOXES,
        [PictureBoxes(picture="a.jpg", state="float", boxes=((0, 1, 2.5, 3),), scores=(0.5,), classes=(7,))],
    ),
]


def bundle_with(directory: Path, name: str, content: bytes) -> Bundle:
    described = fields(evidence={"files": [name]})
    return write_bundle(directory, described, {**files(), name: content})


@pytest.mark.parametrize(("kind", "records"), RECORDS)
def test_what_is_written_is_read(tmp_path: Path, kind: EvidenceFile[Any], records: list[Any]) -> None:
    bundle = bundle_with(tmp_path / "b", kind.name, kind.encode(records))
    assert kind.read(bundle) == tuple(records)
    assert kind.read(open_bundle(tmp_path / "b")) == tuple(records)
    assert set(bundle.manifest.evidence.files) == {kind.name}
    assert kind.schema()["type"] == "array"
    for other in FILES:
        if other.name != kind.name:
            assert other.read(bundle) is None


def test_a_changed_file_of_evidence_is_refused(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path / "b", SEEDS.name, SEEDS.encode(RECORDS[2][1]))
    path = bundle.directory / SEEDS.name
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.35"))
    with pytest.raises(BundleError, match=r"seeds\.json has the sha256"):
        open_bundle(bundle.directory)
    path.unlink()
    with pytest.raises(BundleError, match=r"seeds\.json is missing"):
        open_bundle(bundle.directory)


def test_a_file_that_is_named_but_not_given(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file was given"):
        write_bundle(tmp_path / "b", fields(evidence={"files": [SEEDS.name]}), files())
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"no json", "Invalid JSON"),
        (b"{}", "Input should be a valid array"),
        (b'[{"step": -1, "loss": 1}]', "0.step: "),
        (b'[{"step": 1, "loss": NaN}]', "0.loss: "),
        (b'[{"step": 1, "loss": 1}, {"step": 1.5, "loss": 1}]', "1.step: "),
        (b'[{"step": 1, "loss": 1, "validation": 1.5}]', "0.validation: "),
        (json.dumps([{"step": 1, "loss": 1}] * (MAX_RECORDS + 1)).encode(), "List should have at most"),
    ],
)
def test_evidence_that_is_not_as_described(tmp_path: Path, content: bytes, mistake: str) -> None:
    bundle = bundle_with(tmp_path / "b", TRAINING.name, content)
    with pytest.raises(BundleError) as caught:
        TRAINING.read(bundle)
    assert str(caught.value).startswith(f"{bundle.directory / TRAINING.name}: {mistake}")
    assert str(caught.value).endswith("; docs/bundle.md describes it")


def test_evidence_too_large(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="16 MiB allowed"):
        bundle_with(tmp_path / "b", TRAINING.name, b" " * ((16 << 20) + 1))


def test_a_name_that_leads_outside(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path / "b", SEEDS.name, SEEDS.encode([]))
    text = (bundle.directory / MANIFEST).read_text(encoding="utf-8")
    (bundle.directory / MANIFEST).write_text(text.replace(SEEDS.name, "../../seeds.json"), encoding="utf-8")
    with pytest.raises(BundleError, match="not a plain relative path"):
        open_bundle(bundle.directory)
