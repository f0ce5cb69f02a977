"""Candidates of post-training quantization."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from edgeagent.errors import DataError
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.grid.symmetric import plan_symmetric_grids
from edgeagent.qat.ptq.quantizer import PtqCandidate, Quantizer
from edgeagent.qat.ptq.recipe import Effort, PtqRecipe, most_recipes
from edgeagent.qat.ptq.search import candidates
from tests.qat.graph.test_hard_gates import small_picodet
from tests.qat.models import SIZE, small_nanodet, small_relu_net, small_yolox

AFFINE = partial(plan_affine_grids, picture=PIXELS)


class Pictures(Dataset[Tensor]):
    """Smooth random pictures."""

    def __init__(self, count: int) -> None:
        coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
        self._all = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear").round()

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Tensor:
        return self._all[index]


def search(
    build: Callable[[Path], Path], path: Path, count: int = 12, effort: Effort = "full"
) -> dict[str, PtqCandidate]:
    quantizer = Quantizer(read_graph(build(path / "m.onnx")), AFFINE, Pictures(count))
    found = candidates(quantizer.quantize, effort, quantizer.equalizable)
    return {candidate.name: candidate for candidate in found}


def test_the_naive_one_comes_first_and_corrections_last(tmp_path: Path) -> None:
    found = search(small_yolox, tmp_path)
    names = list(found)
    assert names[0] == "minmax"
    assert {"percentile", "mse", "average", "weighted", "per-tensor"} <= set(names)
    assert not any("equalized" in name for name in names)  # nothing but SiLU
    corrected = [name for name in names if name.endswith("+ weights")]
    assert {"mse + bias", "mse + weights"} <= set(names)
    assert names[-1] == corrected[-1]
    assert min(found[name].error for name in corrected) < found["minmax"].error


def test_candidates_are_independent_and_each_can_be_exported(tmp_path: Path) -> None:
    found = search(small_yolox, tmp_path)
    weights = {name: candidate.network.state_dict() for name, candidate in found.items()}
    share = next(name for name in weights["minmax"] if "weight_share" in name)
    scale = next(name for name in weights["minmax"] if name.endswith("log_scale") and "grids.1." in name)
    assert torch.equal(weights["minmax"][share], weights["mse + bias"][share])
    assert not torch.equal(weights["mse"][scale], weights["minmax"][scale])
    for name in ("minmax", "mse + weights"):
        network = found[name].network
        assert export(network, tmp_path, "onnx").operators.integer["QLinearConv"] == len(network.convolutions)


def test_what_can_be_equalized_is(tmp_path: Path) -> None:
    found = search(small_nanodet, tmp_path)
    equalized = found["mse + equalized"].network.graph
    plain = found["mse"].network.graph
    changed = [n for n in plain.constants if (plain.constants[n] != equalized.constants[n]).any()]
    assert changed


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="four pictures or more, got 3"):
        search(small_yolox, tmp_path, 3)


def test_a_fast_search_tries_three_recipes_and_none_the_plain_one(tmp_path: Path) -> None:
    plain = search(small_yolox, tmp_path, effort="fast")
    assert list(plain) == ["weighted + bias", "weighted + weights", "mse + weights"]
    equalized = search(small_nanodet, tmp_path, effort="fast")
    assert next(iter(equalized)) == "weighted + equalized + bias"
    assert len(equalized) == most_recipes("fast", True) == 3
    assert list(search(small_yolox, tmp_path, effort="none")) == ["percentile"]


def test_a_recipe_gives_the_same_network_in_any_search(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    alone, after = (Quantizer(graph, AFFINE, Pictures(12)) for _ in range(2))
    recipe = PtqRecipe("mse", correction="weights")
    after.quantize(recipe.uncorrected)
    one, other = (quantizer.quantize(recipe).network.state_dict() for quantizer in (alone, after))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("build", [small_yolox, small_relu_net, small_picodet])
def test_a_recipe_calibrates_symmetric_grids_too(build: Callable[[Path], Path], tmp_path: Path) -> None:
    quantizer = Quantizer(read_graph(build(tmp_path / "m.onnx")), plan_symmetric_grids, Pictures(12))
    assert quantizer.equalizable is (build is not small_yolox)
    plain, best = (
        quantizer.quantize(recipe)
        for recipe in (PtqRecipe("minmax"), PtqRecipe("weighted", quantizer.equalizable, "bias"))
    )
    assert best.error < plain.error
    assert all(grid.symmetric for grid in best.network.plan.grids)
    operators = export(best.network, tmp_path, "onnx-b").operators.integer
    assert sum(count for name, count in operators.items() if "Conv" in name) == len(best.network.convolutions)
