"""Training: it learns, it can be stopped and continued, and the same seed gives the same artefact."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from edgeagent.errors import DataError
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.distillation.loss import distillation_loss, feature_loss
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.average import WeightAverage
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.labelled import TrainingSample
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.trainer import Trainer, TrainingProgress
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_yolox

RECIPE = Recipe(steps=30, batch=4, weight_rate=2e-3)


class Noise(Dataset[TrainingSample]):
    """Reproducible pictures."""

    def __len__(self) -> int:
        return RECIPE.steps * RECIPE.batch

    def __getitem__(self, index: int) -> TrainingSample:
        generator = torch.Generator().manual_seed(index)
        coarse = torch.rand(1, 3, 8, 8, generator=generator) * 255
        picture = torch.nn.functional.interpolate(coarse, size=SIZE).round()[0]
        return TrainingSample(picture, torch.zeros(0, 5), False)


def held_out(network: Network) -> HeldOut:
    teacher = copy.deepcopy(network)
    teacher.set_mode("float")
    return HeldOut(teacher, [torch.stack([Noise()[20_000 + index].picture for index in range(4)])])


def train(
    folder: Path, recipe: Recipe = RECIPE, stop_after: int | None = None, resume: bool = False
) -> list[float]:
    """Train in ``folder`` and return the losses; the artefact is ``q.onnx`` there."""

    class StopError(Exception):
        pass

    folder.mkdir(exist_ok=True)
    network = calibrated(small_yolox(folder / "m.onnx"))
    trainer = Trainer(
        network,
        Objective(copy.deepcopy(network)),
        TrainingPictures(Noise(), held_out(network)),
        recipe,
        Execution(folder, checkpoint_every=5),
    )
    if resume:
        trainer.resume()
    losses: list[float] = []

    def report(progress: TrainingProgress) -> None:
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
    longer = replace(RECIPE, steps=90)  # what 30 bring depends on how a processor rounds
    trainer = Trainer(network, Objective(teacher), TrainingPictures(Noise()), longer, Execution(tmp_path))
    trainer.run(lambda progress: None)
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


def test_a_small_step_in_parts_is_the_same_step(tmp_path: Path) -> None:
    """Nearly: each part divides by its own number of objects."""
    whole = train(tmp_path / "whole", replace(RECIPE, steps=3))
    parts = train(tmp_path / "parts", replace(RECIPE, steps=3, accumulate=2))
    assert parts == pytest.approx(whole, rel=0.2)
    assert parts != whole


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="choose a multiple of 3"):
        train(tmp_path, replace(RECIPE, accumulate=3))


def grids(folder: Path) -> dict[str, torch.Tensor]:
    network = torch.load(folder / "checkpoint.pt", weights_only=True)["network"]
    return {name: value for name, value in network.items() if name.startswith("grids.")}


def test_frozen_scales_stay_and_learned_ones_move_until_they_are_frozen(tmp_path: Path) -> None:
    calibration = calibrated(small_yolox(tmp_path / "m.onnx")).state_dict()
    train(tmp_path / "frozen", replace(RECIPE, steps=5, scales="frozen"))
    assert all(torch.equal(value, calibration[name]) for name, value in grids(tmp_path / "frozen").items())
    train(tmp_path / "short", replace(RECIPE, steps=10, freeze_after=0.5), stop_after=5)
    train(tmp_path / "long", replace(RECIPE, steps=10, freeze_after=0.5))
    short, long = grids(tmp_path / "short"), grids(tmp_path / "long")
    assert any(not torch.equal(value, calibration[name]) for name, value in short.items())
    assert all(torch.equal(value, long[name]) for name, value in short.items())


def test_patience_ends_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    """At this rate the student gets worse from look to look."""
    recipe = replace(RECIPE, weight_rate=0.5, check_every=2, patience=2, warm_up=0.0)
    losses = train(tmp_path, recipe)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    looks = [(step, seen) for step, _, seen in state["history"] if seen is not None]
    best_step, best = min(looks, key=lambda look: look[1])
    assert len(losses) == best_step + 2 * recipe.check_every < recipe.steps
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    network.load_state_dict(state["stopping"]["state"])
    network.set_mode("quantize")
    assert held_out(calibrated(tmp_path / "m.onnx")).loss(network) == pytest.approx(best, rel=1e-5)


def test_an_interrupted_run_with_everything_on_repeats_exactly(tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=20, average=0.9, patience=50, check_every=4, feature_weight=1.0)
    losses = train(tmp_path / "whole", recipe)
    train(tmp_path / "parts", recipe, stop_after=12)
    assert train(tmp_path / "parts", recipe, resume=True) == losses[10:]
    assert (tmp_path / "parts" / "q.onnx").read_bytes() == (tmp_path / "whole" / "q.onnx").read_bytes()


def test_average_lags_behind_the_weights_and_leaves_grids_alone(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    average = WeightAverage(network, 0.9)
    before = {name: value.clone() for name, value in average.weights.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    average.update()
    decay = 2 / 11  # the first step's
    for name, value in average.weights.items():
        torch.testing.assert_close(value, before[name] + (1 - decay))
    assert not any("scale" in name for name in average.weights)
    with average.applied():
        inside = dict(network.convolutions.named_parameters())
        assert all(torch.equal(inside[name], value) for name, value in average.weights.items())
    after = dict(network.convolutions.named_parameters())
    assert all(torch.equal(after[name], before[name] + 1) for name in before)


def test_convolutions_in_bfloat16_learn_too(tmp_path: Path) -> None:
    losses = train(tmp_path, replace(RECIPE, precision="bfloat16"))
    full = train(tmp_path / "full")
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert losses[0] == pytest.approx(full[0], rel=0.2)
    assert losses != full


def test_a_loss_that_is_not_a_number_ends_the_run_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="start again with a lower --rate"):
        train(tmp_path, replace(RECIPE, weight_rate=1e12, warm_up=0.0))


def test_features_are_held_to_those_of_the_teacher(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    network.set_mode("float")
    assert len(network.features) == 4  # concats of focus, pool and neck, and the residual
    _, features = network.heads_and_features(Noise()[0].picture[None])
    assert feature_loss(features, features) == 0
    doubled = feature_loss([2 * feature for feature in features], features)
    assert doubled.item() == pytest.approx(1.0)
