"""Remarks on a calibration, as lines of text for people.

They are about a float model that finds nothing, layers that lose the signal, and pictures of another domain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeagent.bundle.task import MEASURES, Measure
from edgeagent.qat.ptq.noise import LayerNoise
from edgeagent.qat.ptq.recipe import Effort

NAMED = 3  # layers
GROSS = 1.5
"""Ratio of the widths of activations, or its inverse, from which pictures are of another domain."""


def describe_weak_model(accuracy: float, measure: Measure) -> str:
    """Return a line about a float model that is no better than chance."""
    found = f"is no better than chance ({measure.title} {accuracy:.3f})"
    if measure == MEASURES["detection"]:
        much = f"next to nothing ({measure.title} {accuracy:.3f})" if accuracy else "nothing"
        found = f"finds {much} of the labelled objects"
    return (
        f"the float model {found}, so that the measurements say nothing and "
        "output errors decide; check --val-labels, and the description of the model: labels, colour, mean, "
        "std and letterbox"
    )


def describe_weak_layers(layers: Sequence[LayerNoise], method: str, effort: Effort) -> list[str]:
    """Return a line for each of the weak layers that lose most, with what helps; empty without weak layers.

    Args:
        layers: noise of all layers.
        method: name of the quantization.
        effort: search that found it.
    """
    weak = sorted((layer for layer in layers if layer.weak), key=lambda layer: layer.after - layer.before)
    lines = [
        f"layer {layer.node} loses most of its signal with {method}: the signal-to-noise ratio falls from "
        f"{_decibels(layer.before)} to {_decibels(layer.after)}; {_remedy(layer, effort)}"
        for layer in weak[:NAMED]
    ]
    if len(weak) > NAMED:
        lines.append(f"and {len(weak) - NAMED} more layers like these")
    return lines


def describe_domain(ratio: float) -> list[str]:
    """Return a line about labelled pictures that are unlike the calibration pictures; empty if alike.

    Args:
        ratio: width of the activations of the labelled pictures over that of the calibration pictures.
    """
    if 1 / GROSS <= ratio <= GROSS:
        return []
    return [
        f"the labelled pictures are unlike those of the calibration: their activations are {ratio:.1f} times "
        "as wide (median of all tensors); calibrate and train on pictures like those that the camera will "
        "see (--calibrate, --images)"
    ]


def _decibels(ratio: float) -> str:
    return f"{ratio:.1f} dB" if math.isfinite(ratio) else "infinity (no error)"


def _remedy(layer: LayerNoise, effort: Effort) -> str:
    in_float = f"--float-node {layer.node} computes it in float"
    if effort == "full":
        return f"training may recover it, {in_float}"
    return f"--ptq full tries other ranges, equalized channels and corrections; {in_float}"
