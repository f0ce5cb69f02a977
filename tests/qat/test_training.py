"""Training: it learns, it can be stopped and continued, and the same seed gives the same artefact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from edgeagent.errors import DataError
from edgeagent.qat.distillation import distillation_loss
from edgeagent.qat.labelled import Sample
from edgeagent.qat.onnx_export import export_onnx
from edgeagent.qat.training import Progress, Recipe, Trainer
from tests.qat.models import SIZE, small_yolox
from tests.qat.test_onnx_export import calibrated

RECIPE = Recipe(steps=30, batch=4, weight_rate=2e-3)


class Noise(Dataset[Sample]):
    """Reproducible pictures."""

    def __len__(self) -> int:
        return RECIPE.steps * RECIPE.batch

    def __getitem__(self, index: int) -> Sample:
        generator = torch.Generator().manual_seed(index)
        coarse = torch.rand(1, 3, 8, 8, generator=generator) * 255
        picture = torch.nn.functional.interpolate(coarse, size=SIZE).round()[0]
        return Sample(picture, torch.zeros(0, 5), False)


def train(
    folder: Path, recipe: Recipe = RECIPE, stop_after: int | None = None, resume: bool = False
) -> list[float]:
    """Train in ``folder`` and return the losses; the artefact is ``q.onnx`` there."""

    class StopError(Exception):
        pass

    folder.mkdir(exist_ok=True)
    network = calibrated(small_yolox(folder / "m.onnx"))
    trainer = Trainer(network, Noise(), recipe, folder / "checkpoint.pt", checkpoint_every=5)
    if resume:
        trainer.resume()
    losses: list[float] = []

    def report(progress: Progress) -> None:
        assert progress.loss is not None
        losses.append(progress.loss)
        if progress.step == stop_after:
            raise StopError

    try:
        trainer.run(report)
    except StopError:
        return losses
    export_onnx(network, folder / "q.onnx")
    return losses


def test_the_student_comes_closer_to_its_teacher(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    teacher = calibrated(small_yolox(tmp_path / "m.onnx"))
    teacher.set_mode("float")
    unseen = torch.stack([Noise()[10_000 + index].picture for index in range(8)])

    @torch.no_grad()
    def distance() -> float:
        return float(distillation_loss(network.graph.heads, network(unseen), teacher(unseen)))

    before = distance()
    Trainer(network, Noise(), RECIPE, tmp_path / "checkpoint.pt").run(lambda progress: None)
    assert distance() < 0.8 * before


def test_same_seed_same_artefact_also_after_an_interruption(tmp_path: Path) -> None:
    whole, again, parts = tmp_path / "whole", tmp_path / "again", tmp_path / "parts"
    losses = train(whole)
    assert train(again) == losses
    train(parts, stop_after=17)  # the last checkpoint was at 15
    assert train(parts, resume=True) == losses[15:]
    artefact = (whole / "q.onnx").read_bytes()
    assert (again / "q.onnx").read_bytes() == artefact
    assert (parts / "q.onnx").read_bytes() == artefact


def test_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(tmp_path, stop_after=5)
    with pytest.raises(DataError, match="use the same settings or start without --resume"):
        train(tmp_path, recipe=replace(RECIPE, seed=1), resume=True)


@pytest.mark.parametrize("content", [None, b"", b"torn"])
def test_missing_or_damaged_checkpoint_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint\.pt: "):
        train(tmp_path, resume=True)


def test_a_perfect_copy_has_no_loss(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    heads = [torch.randn(2, *head.shape[1:]) * 3 for head in network.graph.heads]
    assert distillation_loss(network.graph.heads, heads, heads).abs() < 1e-5
    other = [head + 0.5 for head in heads]
    assert distillation_loss(network.graph.heads, other, heads) > 0.01


def test_rate_warms_up_and_falls_to_its_last_share() -> None:
    recipe = Recipe(steps=100)
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[-1] == pytest.approx(recipe.final_rate, abs=0.01)
