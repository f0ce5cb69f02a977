"""Results of the search without training that a later run uses again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from edgeagent.bundle.model_description import describe_model
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.qat.export.exports import export_reference
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion
from edgeagent.qat.factory.baseline import BaselineSearch, PtqBaseline
from edgeagent.qat.factory.progress import ProgressMessage, Reporter
from edgeagent.qat.factory.ptq_cache import RESULT, PtqCache, search_digest
from edgeagent.qat.factory.search_inputs import SearchInputs
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.pictures.finding import find_pictures
from edgeagent.qat.ptq.quantizer import PtqCandidate, Quantizer
from edgeagent.qat.ptq.recipe import PtqRecipe

FAST = ["weighted + bias", "weighted + weights", "mse + weights"]


class Searches:
    """Fast searches in one work folder; notes which recipes are made and which are measured."""

    def __init__(self, data: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.work = data, work
        self.made: list[str] = []
        self.measured: list[str] = []
        self.said: list[str] = []
        quantize, artefact = Quantizer.quantize, AccuracyMeter.artefact

        def noted(quantizer: Quantizer, recipe: PtqRecipe) -> PtqCandidate:
            self.made.append(recipe.name)
            return quantize(quantizer, recipe)

        def also_noted(meter: AccuracyMeter, made: object, version: ModelVersion, *more: object) -> object:
            self.measured.append(version.method)
            return artefact(meter, made, version, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(Quantizer, "quantize", noted)
        monkeypatch.setattr(AccuracyMeter, "artefact", also_noted)

    def run(self, calibration: int = 8, validation: int | None = 8) -> tuple[PtqBaseline, AccuracyMeter]:
        for notes in (self.made, self.measured, self.said):
            notes.clear()
        description = describe_model(self.data / "small.onnx")
        pictures = find_pictures([self.data / "pictures"])
        labelled = None
        if validation is not None:
            labelled = LabelledPictures.pair(pictures[:validation], self.data / "labels")
        graph = read_graph(self.data / "small.onnx")
        meter = AccuracyMeter(description, labelled, Reporter())
        self.work.mkdir(exist_ok=True)
        meter.artefact(export_reference(graph, self.work), ModelVersion("float", "as given"))
        del self.measured[:1]
        inputs = SearchInputs(graph, description.input, pictures[:calibration])
        cache = PtqCache(self.work / "ptq", search_digest(inputs), meter.digest(), self.said.append)
        search = BaselineSearch(inputs, meter, cache)
        return search.run("fast", Reporter(self._note)), meter

    def _note(self, event: object) -> None:
        if isinstance(event, ProgressMessage):
            self.said.append(event.text)


@pytest.fixture
def searches(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searches:
    return Searches(data, tmp_path / "work", monkeypatch)


def test_a_search_with_the_same_inputs_is_not_repeated(searches: Searches) -> None:
    first, meter = searches.run()
    assert searches.made == searches.measured == FAST
    again, other = searches.run()
    assert searches.made == searches.measured == []
    assert all(line.endswith("(earlier run)") for line in searches.said)
    assert meter.measurements == other.measurements
    assert (again.name, again.error, again.accuracy) == (first.name, first.error, first.accuracy)
    one, same = first.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(one[key], same[key]) for key in one)
    learned = [[grid.zero_point.requires_grad for grid in found.network.grids] for found in (first, again)]
    assert learned[0] == learned[1]


def test_what_is_missing_or_damaged_is_made_again(searches: Searches) -> None:
    searches.run(validation=None)
    (searches.work / "ptq" / "weighted-bias" / RESULT).unlink()
    damaged = searches.work / "ptq" / "mse-weights" / RESULT
    damaged.write_bytes(damaged.read_bytes()[:200])
    searches.run(validation=None)
    assert searches.made == ["weighted + bias", "mse + weights"]
    (sentence,) = [line for line in searches.said if "damaged" in line]
    assert sentence.startswith(f"{damaged}: damaged (")
    assert sentence.endswith("and not used; it is made again")


def test_other_labelled_pictures_are_only_measured_again(searches: Searches) -> None:
    searches.run(validation=6)
    searches.run(validation=8)
    assert (searches.made, searches.measured) == ([], FAST)


def test_results_of_other_pictures_are_not_used(searches: Searches) -> None:
    searches.run(validation=None)
    searches.run(calibration=7, validation=None)
    assert searches.made == FAST
    assert [line for line in searches.said if "not used" in line] == [
        f"{searches.work / 'ptq'}: earlier results are of another model, other pictures or another version, "
        "and are not used"
    ]


def test_a_killed_search_is_continued(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    command = [
        *(sys.executable, "-m", "edgeagent", "qat", "train", "--no-compile", "--steps", "2", "--batch", "4"),
        *("--model", str(data / "small.onnx"), "--images", str(data / "pictures"), "--out", str(out)),
        *("--format", "onnx", "--resume"),
    ]
    finished = tmp_path / "bundle.work" / "ptq" / "percentile" / RESULT
    with subprocess.Popen(command[:-1], stderr=subprocess.DEVNULL) as running:
        try:
            deadline = time.monotonic() + 240
            while not finished.exists():
                assert time.monotonic() < deadline
                with pytest.raises(subprocess.TimeoutExpired):
                    running.wait(0.05)
        finally:
            running.kill()
    assert not out.exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stderr.splitlines() if "(earlier run)" in line]
    assert [line.split(":")[0] for line in lines[:2]] == ["minmax", "percentile"]
    assert out.exists()
