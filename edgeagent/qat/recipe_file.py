"""The recipe of a bundle as a file: all that makes ``edgeagent qat train`` repeat it, but for the paths.

Example::

    training: {steps: 500, batch: 16, weight_rate: 0.0003, feature_weight: 1.0}
    seeds: [0, 1, 2]
    formats: [onnx, tflite, onnx-b]
    tolerance: 0.005

Every key has a default; one that is not known is refused. What is given on the command line wins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgeagent.errors import ConfigurationError
from edgeagent.files.yaml_model import load_model
from edgeagent.qat.export.exports import FORMATS
from edgeagent.qat.graph.activation_swap import Activation
from edgeagent.qat.training.recipe import Count, Recipe, Share

Seed = Annotated[int, Field(ge=0)]


class Budget(BaseModel):
    """What selective quantization may cost.

    Attributes:
        lose_at_most: mAP50-95, or output error where nothing is labelled.
        integer_macs: least share of the multiply-accumulates that stay on integers.
        steps: of further training with the chosen nodes in float, where leaving them so is not enough by
            itself; 0: none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lose_at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    integer_macs: Share = 0.9
    steps: Annotated[int, Field(ge=0)] = 200


class BundleRecipe(BaseModel):
    """What a bundle is made by.

    Attributes:
        training: settings of each training run; its seed is that of the artefacts.
        seeds: further seeds that are trained, exported and measured, to tell how much luck there is in it.
        formats: artefacts to export, see :data:`edgeagent.qat.export.exports.FORMATS`.
        tolerance: mAP50-95 that calibration alone may lose before anything is trained.
        heads: tensors or nodes where the integer part ends; empty: found automatically.
        activation: function to exchange SiLU for before anything else.
        activation_steps: steps of float training that follow the exchange.
        float_nodes: nodes left in float.
        budget: chooses such nodes by itself.
        tensorrt_steps: steps of the second training that an artefact of grid ``b`` needs.
        sensitivity: whether the sensitivity of each layer is measured for the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    training: Recipe = Recipe()
    seeds: tuple[Seed, ...] = ()
    formats: tuple[str, ...] = ("onnx", "tflite")
    tolerance: float = 0.005
    heads: tuple[str, ...] = ()
    activation: Activation | None = None
    activation_steps: Count = 500
    float_nodes: tuple[str, ...] = ()
    budget: Budget | None = None
    tensorrt_steps: Count = 200
    sensitivity: bool = False

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(formats) - set(FORMATS))
        if unknown or not formats:
            raise ValueError(f"unknown formats {unknown}; choose from {', '.join(FORMATS)}")
        return tuple(dict.fromkeys(formats))


def load_recipe(path: Path) -> BundleRecipe:
    """Read a recipe file.

    Raises:
        ConfigurationError: it is missing, unreadable or wrong.
    """
    return load_model(path, BundleRecipe, "the recipe", ConfigurationError, "no such recipe file")
