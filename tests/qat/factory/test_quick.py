"""Quick runs: a bundle without training, and what training would add."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgeagent
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.part import LabelledPart
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import ConfigurationError
from edgeagent.qat.factory import quantize as quantizing
from edgeagent.qat.factory.baseline import PtqBaseline
from edgeagent.qat.factory.outlook import describe_outlook
from edgeagent.qat.factory.progress import ProgressEvent, ProgressMessage
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.recipe import PtqRecipe
from edgeagent.qat.training.recipe import Recipe
from tests.qat.models import small_yolox


def test_a_quick_bundle_is_calibrated_and_training_later_repeats_nothing(data: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "bundle", list[str]()

    def note(event: ProgressEvent) -> None:
        if isinstance(event, ProgressMessage):
            said.append(event.text)

    model, pictures = data / "small.onnx", data / "pictures"
    result = edgeagent.quantize(
        model, pictures, out, quick=True, formats=["onnx", "onnx-b"], compiled=False, progress=note
    )
    assert result.state == "ptq"
    assert [line.split(":")[0].strip() for line in said if "output error" in line][:3] == [
        "weighted + bias",
        "weighted + weights",
        "mse + weights",
    ]
    lost, training = result.outlook
    assert lost.startswith("no training: the output error is ")
    (symmetric,) = [line for line in said if line.startswith("symmetric grid: weighted")]
    assert ": output error " in symmetric
    assert "--val-images" in lost
    assert training.startswith("training: 500 steps take about ")
    assert "s each, measured); the same command without --quick, with --replace, trains" in training
    assert not (tmp_path / "bundle.work" / "timing").exists()
    assert open_bundle(out).manifest.evidence.recipe["method"].endswith("8 pictures, no training")
    said.clear()
    later = edgeagent.quantize(
        model,
        pictures,
        out,
        ptq="fast",
        steps=2,
        formats=["onnx"],
        compiled=False,
        replace=True,
        progress=note,
    )
    assert later.outlook == ()
    assert len([line for line in said if line.endswith("(earlier run)")]) == 3


def test_many_labelled_pictures_are_reduced(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantizing, "QUICK_VALIDATION", 3)
    said: list[str] = []
    result = edgeagent.quantize(
        data / "small.onnx",
        data / "pictures",
        tmp_path / "bundle",
        quick=True,
        ptq="none",
        formats=["onnx"],
        val_images=data / "pictures",
        val_labels=data / "labels",
        compiled=False,
        progress=lambda event: said.append(event.text) if isinstance(event, ProgressMessage) else None,
    )
    assert "quick: measuring on 3 of 8 labelled pictures" in said
    assert {row.images for row in result.accuracy} == {3}


def test_another_activation_is_no_quick_run(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"activation: .*a quick run trains nothing"):
        edgeagent.quantize(
            data / "small.onnx",
            data / "pictures",
            tmp_path / "bundle",
            quick=True,
            recipe=_written(tmp_path / "recipe.yaml", "activation: relu\n"),
        )


def test_a_run_to_resume_is_no_quick_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--resume continues a training, and a quick run"):
        edgeagent.quantize(tmp_path / "m.onnx", None, tmp_path / "bundle", quick=True, resume=True)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    graph = read_graph(small_yolox(tmp_path_factory.mktemp("model") / "m.onnx"))
    return Network(graph, plan_affine_grids(graph, PIXELS))


@pytest.mark.parametrize(
    ("score", "step", "sentences"),
    [
        (
            0.288,
            3.0,
            ("calibration loses 0.012 mAP50-95; on YOLOX-nano ", "about 25 min here (3 s"),
        ),
        (0.288, 30.0, ("calibration loses 0.012 mAP50-95; on YOLOX-nano ", "take about 4.2 h here")),
        (0.297, 3.0, ("calibration loses 0.003 mAP50-95, within the tolerance of 0.005",)),
    ],
)
def test_the_outlook_says_what_was_measured(
    network: Network, score: float, step: float, sentences: tuple[str, ...]
) -> None:
    lines = describe_outlook(PtqBaseline(PtqRecipe("mse"), network, 1.0, score), 0.3, 0.005, Recipe(), step)
    assert len(lines) == len(sentences)
    for line, sentence in zip(lines, sentences, strict=True):
        assert sentence in line


def test_a_part_of_a_data_set_is_evenly_spread(data: Path) -> None:
    pictures = sorted((data / "pictures").iterdir())
    whole = LabelledPictures.pair(pictures, data / "labels")
    part = LabelledPart.spread(whole, 4)
    assert [path.stem for path in part.pictures] == ["0", "2", "4", "6"]
    assert [int(one.classes[0]) for one in part.read(["a", "b", "c"])] == [0, 2, 1, 0]
    assert part.data_hash() not in (whole.data_hash(), LabelledPart.spread(whole, 3).data_hash())
