"""Recipe of a bundle: all settings with which ``edgeagent qat train`` reproduces it, except paths.

Example::

    training: {steps: 500, batch: 16, weight_rate: 0.0003, feature_weight: 1.0}
    seeds: [0, 1, 2]
    formats: [onnx, tflite, onnx-b, onnx-c]
    tolerance: 0.005

Every key has a default; unknown keys are rejected. Options of the command line override the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake
from edgeagent.files.yaml_model import load_model
from edgeagent.qat.export.exports import FORMATS
from edgeagent.qat.graph.activation_swap import Activation
from edgeagent.qat.ptq.recipe import Effort
from edgeagent.qat.training.recipe import Count, Recipe, Share

Seed = Annotated[int, Field(ge=0)]


class Budget(BaseModel):
    """Budget of selective quantization.

    Attributes:
        lose_at_most: mAP50-95 that may be lost, or output error without labelled pictures.
        integer_macs: least share of the multiply-accumulates on integers.
        steps: steps of further training with the chosen nodes in float, if the choice alone is not
            sufficient; 0 for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lose_at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    integer_macs: Share = 0.9
    steps: Annotated[int, Field(ge=0)] = 200


class BundleRecipe(BaseModel):
    """Settings of a bundle.

    Attributes:
        training: settings of each training; its seed is that of the artefacts.
        seeds: further seeds that are trained, exported and measured, for the spread of the accuracy.
        formats: artefacts to export, see :data:`edgeagent.qat.export.exports.FORMATS`; ``onnx-b`` is the
            artefact on symmetric grids, for TensorRT, ``onnx-c`` that on partial grids, for OpenVINO.
        quick: whether nothing is trained; the search is ``fast`` unless ``ptq`` says otherwise.
        ptq: search of the best quantization without training, from which training starts: ``full`` (default),
            ``fast`` with the three recipes that win in practice, or ``none`` with the plain calibration.
        tolerance: mAP50-95 that calibration alone may lose without a training.
        keep: network that becomes the artefacts: the ``better`` one of the trained and the calibrated, or
            always the ``trained`` one.
        heads: names of tensors or nodes where the integer part ends, ``NAME`` or ``ROLE=NAME``; empty: those
            of the description, or found automatically.
        activation: activation function that replaces SiLU.
        activation_steps: steps of float training after the replacement.
        float_nodes: names of nodes that stay float.
        budget: budget for choosing further float nodes; None chooses none.
        tensorrt_steps: steps of the second training, on symmetric grids.
        sensitivity: whether the sensitivity of each layer is measured, for the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    training: Recipe = Recipe()
    seeds: tuple[Seed, ...] = ()
    formats: tuple[str, ...] = ("onnx", "tflite")
    quick: bool = False
    ptq: Effort | None = None
    tolerance: Annotated[float, Field(allow_inf_nan=False)] = 0.005
    keep: Literal["better", "trained"] = "better"
    heads: tuple[str, ...] = ()
    activation: Activation | None = None
    activation_steps: Count = 500
    float_nodes: tuple[str, ...] = ()
    budget: Budget | None = None
    tensorrt_steps: Count = 200
    sensitivity: bool = False

    @property
    def effort(self) -> Effort:
        """Search of the best quantization without training."""
        return self.ptq or ("fast" if self.quick else "full")

    @field_validator("activation")
    @classmethod
    def _trained(cls, activation: Activation | None, given: ValidationInfo) -> Activation | None:
        if activation is not None and given.data.get("quick"):
            raise ValueError("another activation has to be trained, and a quick run trains nothing")
        return activation

    @field_validator("keep")
    @classmethod
    def _kept(cls, keep: str, given: ValidationInfo) -> str:
        if keep == "trained" and given.data.get("quick"):
            raise ValueError("keeps a trained model, and a quick run trains nothing")
        return keep

    @field_validator("budget", mode="before")
    @classmethod
    def _chosen_after_training(cls, budget: object, given: ValidationInfo) -> object:
        if budget is not None and given.data.get("quick"):
            raise ValueError("layers that stay float are chosen after a training, and a quick run has none")
        return budget

    @field_validator("float_nodes")
    @classmethod
    def _quantized_on_partial_grids(cls, nodes: tuple[str, ...], given: ValidationInfo) -> tuple[str, ...]:
        if nodes and "onnx-c" in given.data.get("formats", ()):
            raise ValueError(
                "onnx-c has no layers in float; leave it out of the formats, or give no float nodes"
            )
        return nodes

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(formats) - set(FORMATS))
        if unknown or not formats:
            raise ValueError(f"unknown formats {unknown}; choose from {', '.join(FORMATS)}")
        return tuple(dict.fromkeys(formats))


def load_recipe(path: Path) -> BundleRecipe:
    """Return the recipe of a file.

    Raises:
        ConfigurationError: the file is missing, unreadable or invalid; the message names the line.
    """
    return load_model(path, BundleRecipe, "the recipe", ConfigurationError, "no such recipe file")


def with_settings(
    recipe: BundleRecipe,
    training: Mapping[str, Any],
    settings: Mapping[str, Any],
    name: Callable[[str], str] = str,
) -> BundleRecipe:
    """Return a recipe with some values replaced.

    Args:
        recipe: recipe to start from.
        training: values of :class:`edgeagent.qat.training.recipe.Recipe` by attribute; None keeps the value.
        settings: other values of :class:`BundleRecipe` by attribute; None keeps the value.
        name: name of an attribute in error messages.

    Raises:
        ConfigurationError: a value is out of range.
    """
    replaced = {key: value for key, value in training.items() if value is not None}
    others = {key: value for key, value in settings.items() if value is not None}
    values = {**recipe.model_dump(), **others, "training": {**asdict(recipe.training), **replaced}}
    try:
        return BundleRecipe.model_validate(values)
    except ValidationError as error:
        mistake = first_mistake(error)
        place = name(str(mistake.place[-1]))
        got = "" if isinstance(mistake.value, Mapping) else f", got {mistake.value!r}"
        raise ConfigurationError(f"{place}: {mistake.text}{got}") from None
