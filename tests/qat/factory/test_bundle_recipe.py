"""The recipe of a bundle: defaults, mistakes with their line, and the schedule it describes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.qat.factory.bundle_recipe import BundleRecipe, load_recipe
from edgeagent.qat.training.recipe import Recipe


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def test_an_empty_recipe_is_the_default_one(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, "{}\n")) == BundleRecipe()


def test_values_are_taken(tmp_path: Path) -> None:
    text = "training: {steps: 7, scales: frozen}\nseeds: [1, 2]\nbudget: {lose_at_most: 0.02}\n"
    recipe = load_recipe(written(tmp_path, text))
    assert asdict(recipe.training) == asdict(Recipe(steps=7, scales="frozen"))
    assert recipe.seeds == (1, 2)
    assert recipe.budget is not None
    assert (recipe.budget.lose_at_most, recipe.budget.integer_macs) == (0.02, 0.9)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tolerance: 1\ntraining: {steps: 0}\n", "line 2: training.steps: Input should be greater than 0"),
        ("training:\n  weight_rate: .nan\n", "line 2: training.weight_rate: "),
        ("training:\n  stepps: 3\n", "line 2: training.stepps: "),
        (
            "formats: [onnx, tensorflow]\n",
            "line 1: formats: unknown formats ['tensorflow']; choose",
        ),
        ("formats: []\n", "line 1: formats: "),
        (
            "formats: [onnx, onnx-c]\nfloat_nodes: [Conv_3]\n",
            "line 2: float_nodes: onnx-c has no layers in float; leave it out of the formats",
        ),
        ("activation: gelu\n", "line 1: activation: Input should be 'relu', 'relu6' or 'hardswish'"),
        ("seeds: [1]\nseeds: [2]\n", "line 2: the key 'seeds' stands there twice"),
        ("training: {mosaic: 1.5}\n", "training.mosaic: Input should be less than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_recipe(written(tmp_path, text))
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'recipe.yaml'}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: no such recipe file"):
        load_recipe(tmp_path / "absent.yaml")


def test_scales_are_learned_until_they_are_frozen() -> None:
    recipe = Recipe(steps=10, freeze_after=0.3)
    assert [recipe.learns_scales(step) for step in (0, 2, 3, 9)] == [True, True, False, False]
    assert not Recipe(scales="frozen").learns_scales(0)


def test_a_tolerance_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"tolerance: .*finite number"):
        load_recipe(written(tmp_path, "tolerance: .nan\n"))
