"""Training: it learns, it can be stopped and continued, and the same seed gives the same artefact."""

from __future__ import annotations

import copy
import errno
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from edgeagent.errors import DataError, EdgeagentError
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.distillation.loss import distillation_loss, feature_loss
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.average import WeightAverage
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.gradient_limit import GradientLimit, gradient_norm
from edgeagent.qat.training.labelled import TrainingSample
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.rates import set_rates
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


class WithHole(Noise):
    """Pictures of which one is not a number."""

    def __init__(self, hole: int) -> None:
        self._hole = hole

    def __getitem__(self, index: int) -> TrainingSample:
        sample = super().__getitem__(index)
        return sample._replace(picture=sample.picture * float("nan")) if index == self._hole else sample


def train(
    folder: Path,
    recipe: Recipe = RECIPE,
    stop_after: int | None = None,
    resume: bool = False,
    pictures: Dataset[TrainingSample] | None = None,
) -> list[float]:
    """Train in ``folder`` and return the losses; the artefact is ``q.onnx`` there."""

    class StopError(Exception):
        pass

    folder.mkdir(exist_ok=True)
    network = calibrated(small_yolox(folder / "m.onnx"))
    trainer = Trainer(
        network,
        Objective(copy.deepcopy(network)),
        TrainingPictures(pictures or Noise(), held_out(network)),
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
    train(tmp_path, stop_after=6)
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
    train(tmp_path / "short", replace(RECIPE, steps=10, freeze_after=0.5), stop_after=6)
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


def test_average_lags_behind_weights_and_grids(tmp_path: Path) -> None:
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
    named = dict(network.named_parameters())
    assert set(named) == set(average.weights)
    with average.applied():
        assert all(torch.equal(named[name], value) for name, value in average.weights.items())
    assert all(torch.equal(named[name], before[name] + 1) for name in before)


def test_decay_of_the_average_fits_the_number_of_steps() -> None:
    assert Recipe(steps=10).decay == 0
    assert Recipe(steps=100).decay == pytest.approx(0.8)
    assert Recipe(steps=1000).decay == pytest.approx(0.98)
    assert Recipe(steps=1000, average=0.5).decay == 0.5
    assert Recipe(steps=1000, average=0.0).decay == 0


class Scripted(HeldOut):
    """Held-out pictures whose losses are given; the state of the lowest one is recorded."""

    def __init__(self, losses: list[float]) -> None:
        self._losses, self._lowest = iter(losses), min(losses)

    def loss(self, student: Network) -> float:
        loss = next(self._losses)
        if loss == self._lowest:
            self.best = copy.deepcopy(student.state_dict())
        return loss


@pytest.mark.parametrize(
    ("average", "losses", "seen"),
    [
        (0.0, [3.0, 1.0, 2.0, 4.0], [3.0, 1.0, 2.0, 4.0]),
        (0.9, [3.0, 2.5, 1.5, 1.0, 2.0, 2.5, 4.0, 5.0], [2.5, 1.0, 2.0, 4.0]),  # weights, average, ...
    ],
)
def test_the_best_state_of_all_checks_is_kept_without_patience(
    average: float, losses: list[float], seen: list[float], tmp_path: Path
) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    teacher, start = copy.deepcopy(network), copy.deepcopy(network.state_dict())

    def trained(recipe: Recipe) -> Scripted:
        network.load_state_dict(start)
        pictures = TrainingPictures(Noise(), Scripted(losses))
        trainer = Trainer(network, Objective(teacher), pictures, recipe, Execution(tmp_path))
        trainer.run(lambda progress: None)
        assert [loss for _, _, loss in trainer.history if loss is not None] == seen
        assert isinstance(pictures.held_out, Scripted)
        return pictures.held_out

    recipe = replace(RECIPE, steps=8, check_every=2, average=average)
    best = trained(recipe).best
    assert all(torch.equal(value, best[name]) for name, value in network.state_dict().items())
    best = trained(replace(recipe, final_state="last")).best
    assert any(not torch.equal(value, best[name]) for name, value in network.state_dict().items())


def test_scales_and_zero_points_have_their_own_rates_and_warm_up() -> None:
    recipe = Recipe(steps=100, scale_rate=2.0, zero_point_rate=0.0, scale_warm_up=0.5, freeze_after=0.9)
    assert [recipe.grid_rate(step) for step in (0, 24, 49)] == pytest.approx([0.02, 0.5, 1.0])
    assert recipe.grid_rate(90) == 0
    names = ("weights", "scales", "zero points")
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "name": name} for name in names]
    optimizer = torch.optim.AdamW(groups)
    set_rates(optimizer, recipe, 24)
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    grid = recipe.weight_rate * 0.5
    wanted = {"weights": recipe.weight_rate * recipe.rate(24), "scales": 2 * grid, "zero points": 0.0}
    assert rates == pytest.approx(wanted)


def test_a_gradient_far_above_those_before_is_scaled_down() -> None:
    parameter = torch.nn.Parameter(torch.zeros(4))
    limit = GradientLimit(3.0)

    def after(size: float) -> float:
        parameter.grad = torch.full((4,), size / 2)
        limit.apply([parameter], gradient_norm([parameter]))
        return gradient_norm([parameter])

    assert after(50.0) == pytest.approx(10.0)  # the fixed limit
    assert [after(1.0) for _ in range(12)] == pytest.approx([1.0] * 12)
    assert after(9.0) == pytest.approx(3.0)
    assert after(2.0) == pytest.approx(2.0)


def test_convolutions_in_bfloat16_learn_too(tmp_path: Path) -> None:
    losses = train(tmp_path, replace(RECIPE, precision="bfloat16"))
    full = train(tmp_path / "full")
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert losses[0] == pytest.approx(full[0], rel=0.2)
    assert losses != full


def test_a_loss_that_is_not_a_number_ends_the_run_and_a_lower_rate_continues_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"step \d+: the .* continue with --resume and a lower --rate"):
        train(tmp_path, replace(RECIPE, weight_rate=1e12, warm_up=0.0))
    losses = train(tmp_path, resume=True)
    assert len(losses) == RECIPE.steps
    assert all(math.isfinite(loss) for loss in losses)


def test_a_run_with_a_bad_picture_continues_from_its_last_good_state(tmp_path: Path) -> None:
    losses = train(tmp_path / "whole")
    bad = WithHole(11 * RECIPE.batch + 2)
    broken = tmp_path / "broken"
    with pytest.raises(DataError, match=r"step 12: the loss is nan; .*checkpoint\.pt has .* of step 10"):
        train(broken, pictures=bad)
    assert train(broken, resume=True) == losses[10:]
    assert (broken / "q.onnx").read_bytes() == (tmp_path / "whole" / "q.onnx").read_bytes()


def test_a_bad_first_step_blames_the_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="step 1: the loss is nan; nothing has been trained yet"):
        train(tmp_path, pictures=WithHole(0))
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_full_disk_leaves_the_last_checkpoint_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path, stop_after=6)
    kept = (tmp_path / "checkpoint.pt").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EdgeagentError, match=r"checkpoint\.pt.*free disk space and continue with --resume"):
        train(tmp_path, resume=True)
    monkeypatch.undo()
    assert (tmp_path / "checkpoint.pt").read_bytes() == kept
    assert len(train(tmp_path, resume=True)) == RECIPE.steps - 5


def test_features_are_held_to_those_of_the_teacher(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    network.set_mode("float")
    assert len(network.features) == 4  # concats of focus, pool and neck, and the residual
    _, features = network.heads_and_features(Noise()[0].picture[None])
    assert feature_loss(features, features) == 0
    doubled = feature_loss([2 * feature for feature in features], features)
    assert doubled.item() == pytest.approx(1.0)
