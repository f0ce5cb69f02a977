"""The reference on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeagent.accuracy.drift import DAY, SLOT, Drift
from edgeagent.accuracy.drift_file import read_drift, write_drift
from edgeagent.accuracy.scene import QUANTITIES
from edgeagent.errors import EdgeagentError
from edgeagent.vision.detections import Detections

MODEL = "coco-nano 1.0.0 0123456789abcdef 0.3"


def seen(samples: int) -> Drift:
    drift, chance = Drift(2, 1), np.random.default_rng(1)
    one = Detections(np.ones((1, 4), np.float32), np.full(1, 0.5, np.float32), np.zeros(1, np.int32))
    for _ in range(samples):
        drift.record(one, np.full((1, 1, 3), chance.integers(0, 256), np.uint8))
    drift.compare_new_slots()
    return drift


@pytest.mark.parametrize("samples", [0, 100, 2 * DAY * SLOT + 5])
def test_what_is_written_is_read(tmp_path: Path, samples: int) -> None:
    saved, path = seen(samples).snapshot(), tmp_path / "drift" / "yard.json"
    write_drift(path, MODEL, saved)
    found = read_drift(path, MODEL, 2)
    assert found is not None
    assert [slot.frames for slot in found.window] == [slot.frames for slot in saved.window]
    assert found.hysteresis == saved.hysteresis
    for one, other in zip((found.reference, found.filling), (saved.reference, saved.filling), strict=True):
        assert (one.frames, one.contributing) == (other.frames, other.contributing)
        for name in QUANTITIES:
            assert (one.counts[name] == other.counts[name]).all()


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    """It has no numbers of detections."""
    path = tmp_path / "yard.json"
    write_drift(path, MODEL, seen(2 * DAY * SLOT).snapshot())
    file = json.loads(path.read_text())
    for part in (file["reference"], file["filling"], *file["window"]):
        del part["counts"]["detections"], part["contributing"]["detections"]
    del file["holds"]["detections"]
    path.write_text(json.dumps(file))
    found = read_drift(path, MODEL, 2)
    assert found is not None
    assert found.reference.frames == found.reference.contributing["score"] == DAY * SLOT
    assert found.reference.contributing["detections"] == 0
    drift = Drift(2, 1, found)
    assert drift.state == "steady"


def test_a_day_is_kept_in_few_bytes(tmp_path: Path) -> None:
    write_drift(tmp_path / "yard.json", MODEL, seen(2 * DAY * SLOT).snapshot())
    assert (tmp_path / "yard.json").stat().st_size < 20_000


def test_another_model_begins_anew(tmp_path: Path) -> None:
    write_drift(tmp_path / "yard.json", MODEL, seen(10).snapshot())
    assert read_drift(tmp_path / "yard.json", MODEL.replace("1.0.0", "1.1.0"), 2) is None
    assert read_drift(tmp_path / "none.json", MODEL, 2) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-30],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"frames":10', '"frames":-1'),
        lambda text: text.replace('"schema_version":1', '"schema_version":2'),
        lambda text: text.replace('"label":[', '"label":[1,'),
    ],
)
def test_a_damaged_file_begins_anew_and_says_so(
    tmp_path: Path, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "yard.json"
    write_drift(path, MODEL, seen(10).snapshot())
    assert callable(spoil)
    whole = path.read_text()
    path.write_text(spoil(whole))
    assert path.read_text() != whole
    assert read_drift(path, MODEL, 2) is None
    assert "a new reference is started" in caplog.text


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "drift").write_bytes(b"a file where the folder should be")
    with pytest.raises(EdgeagentError, match=r"yard\.json: cannot be written"):
        write_drift(tmp_path / "drift" / "yard.json", MODEL, seen(1).snapshot())
    assert [file.name for file in tmp_path.iterdir()] == ["drift"]
