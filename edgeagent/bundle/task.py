"""Tasks of models, and the measures of their accuracy.

::

    detection       objects with boxes               COCO mAP50-95, mAP50
    classification  one class for the picture        top-1, top-5
    segmentation    one class for each pixel         mean intersection over union, share of right pixels
    instances       objects with boxes and masks     COCO mAP50-95 and mAP50 of the masks

Fields of a manifest are named after the measure, so that a number always says what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from edgeagent.bundle.section import FileName, FiniteFloat, Fraction, ManifestSection
from edgeagent.errors import ConfigurationError

Task = Literal["detection", "classification", "segmentation", "instances"]
TASKS: tuple[Task, ...] = get_args(Task)
OBJECT_TASKS: frozenset[Task] = frozenset({"detection", "instances"})
"""Tasks of models that find objects with boxes."""
OUTLINE_TASKS: frozenset[Task] = frozenset({"segmentation", "instances"})
"""Tasks whose labels are outlines."""

MeasureField = Literal["map50_95", "top1", "miou", "mask_map50_95"]
"""Field of the measure by which models of a task are chosen."""


@dataclass(frozen=True)
class Measure:
    """Measure of accuracy of a task, 0..1, by which models are chosen, and one that is shown beside it.

    Attributes:
        field: name of the field in manifests and messages.
        title: name for people.
        second: field of the measure beside it.
        second_title: name of that for people.
        by_chance: value that a model reaches by chance, by the number of classes.
        others: further measures that an evaluation gives: field, and name for people.
    """

    field: MeasureField
    title: str
    second: str
    second_title: str
    by_chance: Callable[[int], float]
    others: tuple[tuple[str, str], ...] = ()


MEASURES: Mapping[Task, Measure] = {
    "detection": Measure("map50_95", "mAP50-95", "map50", "mAP50", lambda classes: 0.0),
    "classification": Measure("top1", "top-1", "top5", "top-5", lambda classes: 1 / classes),
    "segmentation": Measure("miou", "mIoU", "pixels", "right pixels", lambda classes: 0.5 / classes),
    "instances": Measure(
        "mask_map50_95",
        "mask mAP50-95",
        "mask_map50",
        "mask mAP50",
        lambda classes: 0.0,
        (("map50_95", "box mAP50-95"), ("map50", "box mAP50")),
    ),
}
_FIELDS = {name for measure in MEASURES.values() for name in (measure.field, measure.second)}


def require_objects(task: Task, name: str, what: str, tasks: Collection[Task] = OBJECT_TASKS) -> None:
    """Refuse a model that finds no boxes, where boxes are needed.

    Args:
        task: of the model.
        name: of its bundle.
        what: what needs boxes, as the beginning of a sentence.
        tasks: that will do.

    Raises:
        ConfigurationError: the task is none of these.
    """
    if task not in tasks:
        raise ConfigurationError(
            f"{what} needs a detector, {name} is a model for {task}; docs/tasks.md says what each task can do"
        )


def measure_of(values: Any) -> Measure:
    """Return the measure whose field has a value in a section.

    Raises:
        ValueError: none has one, or several have.
    """
    found = [one for one in MEASURES.values() if getattr(values, one.field) is not None]
    if len(found) != 1:
        names = ", ".join(one.field for one in MEASURES.values())
        raise ValueError(f"needs exactly one of {names}")
    return found[0]


class MeasuredSection(ManifestSection):
    """Section that holds the measure of one task; the fields of other measures are left out.

    Attributes:
        measure: measure of the task.
    """

    @model_validator(mode="after")
    def _has_one_measure(self) -> Self:
        measure_of(self)
        return self

    @model_serializer(mode="wrap")
    def _without_other_measures(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return {name: value for name, value in data.items() if value is not None or name not in _FIELDS}

    @property
    def measure(self) -> Measure:
        """Measure of the task."""
        return measure_of(self)


class AccuracyValues(MeasuredSection):
    """Accuracy of a model, 0..1.

    Attributes:
        map50_95: COCO mAP at IoU .50:.95 (detection).
        map50: COCO mAP at IoU .50.
        top1: share of pictures whose class has the highest score (classification).
        top5: share of pictures whose class is among the five highest scores.
        miou: mean intersection over union of the classes (segmentation).
        pixels: share of labelled pixels with the right class.
        mask_map50_95: COCO mAP of masks at IoU .50:.95 (instances).
        mask_map50: COCO mAP of masks at IoU .50.
    """

    map50_95: Fraction | None = None
    map50: Fraction | None = None
    top1: Fraction | None = None
    top5: Fraction | None = None
    miou: Fraction | None = None
    pixels: Fraction | None = None
    mask_map50_95: Fraction | None = None
    mask_map50: Fraction | None = None

    @property
    def accuracy(self) -> float:
        """Value of the measure by which models are chosen."""
        return float(getattr(self, self.measure.field))

    def values(self) -> dict[str, float]:
        """Return the measures that are known, by field."""
        measure = self.measure
        found = {name: getattr(self, name) for name in (measure.field, measure.second)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def second_accuracy(self) -> float | None:
        """Value of the measure that is shown beside it; None where it is not known."""
        value: float | None = getattr(self, self.measure.second)
        return value


class AccuracyLoss(MeasuredSection):
    """Loss of accuracy against the float model on the same pictures, with its 95 % interval.

    The interval is that of a paired bootstrap over pictures (:mod:`edgeagent.accuracy.map_interval`).

    Attributes:
        map50_95: mAP of the float model minus that of the measured one.
        top1: the same of top-1.
        miou: the same of the mean intersection over union.
        mask_map50_95: the same of the mAP of masks.
        low: lower bound.
        high: upper bound.
    """

    map50_95: FiniteFloat | None = None
    top1: FiniteFloat | None = None
    miou: FiniteFloat | None = None
    mask_map50_95: FiniteFloat | None = None
    low: FiniteFloat
    high: FiniteFloat

    @property
    def lost(self) -> float:
        """Loss of the measure by which models are chosen."""
        return float(getattr(self, self.measure.field))


Claims = Annotated[dict[FileName, Fraction], Field(min_length=1)]


class ClaimedAccuracy(MeasuredSection):
    """Accuracy of the artefacts on the golden pictures, measured when the bundle was made.

    Attributes:
        map50_95: COCO mAP at IoU .50:.95 by artefact file (detection).
        top1: top-1 by artefact file (classification).
        miou: mean intersection over union by artefact file (segmentation).
        mask_map50_95: COCO mAP of masks by artefact file (instances).
    """

    map50_95: Claims | None = None
    top1: Claims | None = None
    miou: Claims | None = None
    mask_map50_95: Claims | None = None

    @property
    def claims(self) -> dict[str, float]:
        """Claim of each artefact file."""
        found: dict[str, float] = getattr(self, self.measure.field)
        return found
