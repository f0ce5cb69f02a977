"""Edge TPU rules of single operators: which TFLite operators are mapped, and under which conditions.

Source: Coral, "TensorFlow models on the Edge TPU", model requirements and table of supported operations
(coral.ai/docs/edgetpu/models-intro), for compiler 16.0 and runtime 14. Operators that the table does not list
(LEAKY_RELU, HARD_SWISH, TRANSPOSE, DEQUANTIZE, ...) run on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Numbers = npt.NDArray[Any]

SOFTMAX_ELEMENTS = 16_000


@dataclass(frozen=True)
class OperatorUse:
    """Operator of a file.

    Attributes:
        name: name of the operator in the TFLite schema.
        options: options of the schema's object API; None without options.
        inputs: tensors that it reads, of the schema's object API.
        outputs: tensors that it writes.
        constants: value of each input that is stored in the file; None for a computed one.
    """

    name: str
    options: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    constants: tuple[Numbers | None, ...]


Rule = Callable[[OperatorUse], "str | None"]


def limitation(use: OperatorUse) -> str | None:
    """Return why an operator is not mapped, by its kind and options; None if it is."""
    if use.name not in _RULES:
        return f"{use.name} is not among the operators that the Edge TPU supports"
    return next((reason for rule in _RULES[use.name] if (reason := rule(use))), None)


def size_risk(use: OperatorUse) -> str | None:
    """Return why an operator may not be mapped because of its size, for which no limit is documented."""
    if use.name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        return "is left to the CPU at some sizes, to avoid a loss of precision"
    if use.name == "RESHAPE":
        return "is left to the CPU for some large tensors"
    return None


def _not_fused(use: OperatorUse) -> str | None:
    if use.options is not None and use.options.fusedActivationFunction:
        return "it has a fused activation function"
    return None


def _constant_weights(use: OperatorUse) -> str | None:
    return "its weights are computed; they must be constants" if use.constants[1] is None else None


def _same_dilation(use: OperatorUse) -> str | None:
    options = use.options
    if options is not None and options.dilationWFactor != options.dilationHFactor:
        return "its dilations in x and y differ"
    return None


def _zero_padding_concat(use: OperatorUse) -> str | None:
    stored = [value for value in use.constants if value is not None]
    if stored and (len(use.inputs) != 2 or any(value.any() for value in stored)):
        return "a constant may only be joined with one other tensor, and must be all zeros"
    return None


def _batch_untouched(use: OperatorUse) -> str | None:
    axes = use.constants[1]
    rank = len(use.inputs[0].shape)
    if axes is None:
        return "its axes are computed; they must be constants"
    return "it works along the batch dimension" if 0 in {int(axis) % rank for axis in axes.ravel()} else None


def _batch_unpadded(use: OperatorUse) -> str | None:
    pads = use.constants[1]
    if pads is None:
        return "its paddings are computed; they must be constants"
    return "it pads the batch dimension" if pads.ravel()[:2].any() else None


def _unsplit_batch(use: OperatorUse) -> str | None:
    position = 2 if use.name == "SPLIT_V" else 0
    axis = use.constants[position]
    return "it splits the batch dimension" if axis is None or int(axis.ravel()[0]) == 0 else None


def _unpacked_batch(use: OperatorUse) -> str | None:
    return "it packs along the batch dimension" if use.options is None or use.options.axis == 0 else None


def _one_dimensional_alpha(use: OperatorUse) -> str | None:
    if any(size > 1 for size in list(use.inputs[1].shape)[:-1]):
        return "its slopes have more than one dimension"
    return None


def _three_dimensional(use: OperatorUse) -> str | None:
    wide = [size for size in use.inputs[0].shape if size > 1]
    return "it takes more than 3 dimensions" if len(wide) > 3 else None


def _short_softmax(use: OperatorUse) -> str | None:
    wide = [int(size) for size in use.inputs[0].shape if size > 1]
    if len(wide) > 1 or (wide and wide[0] > SOFTMAX_ELEMENTS):
        return f"it takes one dimension of at most {SOFTMAX_ELEMENTS} elements only"
    return None


def _leading_ones(use: OperatorUse) -> str | None:
    shape = [int(size) for size in use.inputs[0].shape]
    inner = shape[next((i for i, size in enumerate(shape) if size > 1), len(shape)) :]
    return "a dimension of 1 behind a wider one would be removed" if 1 in inner[:-1] else None


def _steps_of_one(use: OperatorUse) -> str | None:
    steps, options = use.constants[3], use.options
    if steps is None or (steps != 1).any():
        return "its strides are not all 1 (a focus layer's slices take every second pixel)"
    if options is not None and (options.ellipsisMask or options.newAxisMask):
        return "it has an ellipsis or a new axis"
    return None


_PLAIN: tuple[Rule, ...] = ()
_RULES: dict[str, tuple[Rule, ...]] = {
    "ADD": _PLAIN,
    "AVERAGE_POOL_2D": (_not_fused,),
    "CONCATENATION": (_not_fused, _zero_padding_concat),
    "CONV_2D": (_constant_weights, _same_dilation),
    "DEPTHWISE_CONV_2D": (_constant_weights, _same_dilation),
    "EXPAND_DIMS": _PLAIN,
    "FULLY_CONNECTED": (_constant_weights,),
    "L2_NORMALIZATION": _PLAIN,
    "LOGISTIC": _PLAIN,
    "MAXIMUM": _PLAIN,
    "MAX_POOL_2D": (_not_fused,),
    "MEAN": (_batch_untouched,),
    "MINIMUM": _PLAIN,
    "MUL": _PLAIN,
    "PACK": (_unpacked_batch,),
    "PAD": (_batch_unpadded,),
    "PRELU": (_one_dimensional_alpha,),
    "QUANTIZE": _PLAIN,
    "REDUCE_MAX": (_batch_untouched,),
    "REDUCE_MIN": (_batch_untouched,),
    "RELU": _PLAIN,
    "RELU6": _PLAIN,
    "RELU_N1_TO_1": _PLAIN,
    "RESHAPE": _PLAIN,
    "RESIZE_BILINEAR": (_three_dimensional,),
    "RESIZE_NEAREST_NEIGHBOR": (_three_dimensional,),
    "RSQRT": _PLAIN,
    "SLICE": _PLAIN,
    "SOFTMAX": (_short_softmax,),
    "SPACE_TO_DEPTH": _PLAIN,
    "SPLIT": (_unsplit_batch,),
    "SPLIT_V": (_unsplit_batch,),
    "SQUARED_DIFFERENCE": _PLAIN,
    "SQUEEZE": (_leading_ones,),
    "STRIDED_SLICE": (_steps_of_one,),
    "SUB": _PLAIN,
    "SUM": (_batch_untouched,),
    "TANH": _PLAIN,
    "TRANSPOSE_CONV": (_constant_weights,),
}
