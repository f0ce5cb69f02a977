"""Job of the factory: model, pictures and recipe of a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.datasets.labels import Labels
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from edgeagent.qat.factory.golden_section import GoldenPictures


@dataclass(frozen=True)
class TrainingSource:
    """Float model, and pictures to train and calibrate on.

    Attributes:
        model: float ONNX file.
        description: description of the model.
        pictures: pictures to train on, in a fixed order; a picture listed twice is drawn twice as often.
        calibration: pictures to calibrate on.
        labels: labels of some of the pictures.
    """

    model: Path
    description: ModelDescription
    pictures: Sequence[Path]
    calibration: Sequence[Path]
    labels: Mapping[Path, Labels] = field(default_factory=dict)

    def describe(self) -> str:
        """Return a line of text for people."""
        labelled = f", {len(self.labels)} of them labelled" if self.labels else ""
        return f"{len(self.pictures)} pictures{labelled}; calibrating on {len(self.calibration)}"


@dataclass(frozen=True)
class QuantizationJob:
    """All that determines the content of a bundle.

    Attributes:
        source: float model and pictures.
        recipe: settings.
        golden: pictures that are published with the bundle.
    """

    source: TrainingSource
    recipe: BundleRecipe
    golden: GoldenPictures
