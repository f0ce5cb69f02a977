"""Card of a bundle: model, accuracy and recipe, as Markdown for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeagent.bundle.manifest import Measurement, ModelDescription
from edgeagent.qat.export.exports import Exported


def card_text(
    description: ModelDescription,
    measurements: Sequence[Measurement],
    artefacts: Sequence[Exported],
    recipe: dict[str, Any],
) -> str:
    """Return the card as Markdown.

    Args:
        description: description of the model.
        measurements: accuracy of all versions of the model.
        artefacts: exported artefacts.
        recipe: record of how they were made.
    """
    spec = description.input
    lines = [
        f"# {description.name} {description.version}",
        "",
        f"{description.task.capitalize()} of {len(description.labels)} classes on {spec.width}x{spec.height} "
        f"pictures; INT8 by {_method(recipe)} with edgeagent.",
        "",
        f"- Licence: {description.licence}",
        f"- Weights: {description.attribution.strip()}",
        "",
        "## Measured",
        "",
        *_measured(measurements),
        "",
        "## Integer operators",
        "",
        "As the engine of each artefact runs it:",
        "",
        *(
            f"- `{item.path.name}`: {_counts(item.operators.integer)} on integers; "
            f"{_counts(item.operators.float)} on floats."
            for item in artefacts
        ),
        "",
        "## Recipe",
        "",
        *(f"- {name}: {value}" for name, value in recipe.items()),
        "",
    ]
    return "\n".join(lines)


def _method(recipe: dict[str, Any]) -> str:
    return "quantization-aware training" if "steps" in recipe else "calibration (post-training quantization)"


def _measured(measurements: Sequence[Measurement]) -> list[str]:
    if not measurements:
        return ["No measurements: no labelled pictures were given."]
    first, measure = measurements[0], measurements[0].measure
    rows = [
        f"| {item.state} | {item.method} | {item.artefact or ''} | {item.engine} | "
        f"{'' if item.seed is None else item.seed} | {item.accuracy:.3f} | {_second(item)} | {_loss(item)} |"
        for item in measurements
    ]
    return [
        f"{_how_measured(first)} on {first.images} pictures that the quantization did not use, in the named "
        f"engines. {_seeds(measurements)}"
        "The best method was chosen on the same pictures. The loss is against the float model on them, with "
        "the 95 % interval of a paired bootstrap over pictures.",
        "",
        f"| state | method | artefact | engine | seed | {measure.title} | {measure.second_title} | loss of "
        f"{measure.title} |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Hash of pictures and labels: `{first.data_sha256}`.",
    ]


def _how_measured(item: Measurement) -> str:
    if item.measure.field == "map50_95":
        return "COCO mAP (pycocotools; score threshold .01, IoU threshold of non-maximum suppression .65)"
    return f"{item.measure.title} and {item.measure.second_title}"


def _second(item: Measurement) -> str:
    return "" if item.second_accuracy is None else f"{item.second_accuracy:.3f}"


def _seeds(measurements: Sequence[Measurement]) -> str:
    if len({item.seed for item in measurements if item.seed is not None}) < 2:
        return ""
    return "The artefacts of this bundle are those of the first seed; other seeds show the spread. "


def _loss(item: Measurement) -> str:
    loss = item.loss
    return "" if loss is None else f"{loss.lost:.3f} [{loss.low:.3f}, {loss.high:.3f}]"


def _counts(operators: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in operators.items()) or "none"
