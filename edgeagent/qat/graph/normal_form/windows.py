"""Normal forms of operators with windows: convolutions, pools, resizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.normal_form.form import Form


def _convolution(form: Form) -> list[Node]:
    weight, shape = form.required(1), form.shape()
    if weight.ndim != 4 or len(shape) != 4:
        raise form.unsupported(f"a convolution of {weight.ndim - 2} dimensions")
    kernel = weight.shape[2:]
    transposed = form.node.operator == "ConvTranspose"
    attributes = _window(form, kernel, transposed) | {"group": form.attribute("group", 1)}
    if transposed:
        attributes["output_padding"] = list(form.attribute("output_padding", (0, 0)))
        attributes["pads"] = _transposed_pads(form, attributes)
    if form.has(2):
        form.required(2)
    return [form.final(form.node.operator, *filter(None, form.node.inputs), **attributes)]


def _transposed_pads(form: Form, attributes: dict[str, list[int]]) -> list[int]:
    """Return the pads of a ConvTranspose, which may be given by its output shape."""
    automatic, wanted = form.text("auto_pad", "NOTSET"), form.attribute("output_shape")
    if automatic in ("NOTSET", "VALID") and wanted is None:
        return attributes["pads"]
    before, after = [], []
    for axis, size in enumerate(form.shape()[2:]):
        stride, extra = attributes["strides"][axis], attributes["output_padding"][axis]
        reach = (attributes["kernel_shape"][axis] - 1) * attributes["dilations"][axis] + 1
        total = stride * (size - 1) + extra + reach - (size * stride if wanted is None else wanted[axis - 2])
        if total < 0:
            raise form.unsupported(f"an output shape that needs {-total} more rows or columns")
        first = -(-total // 2) if automatic == "SAME_LOWER" else total // 2
        before.append(first)
        after.append(total - first)
    return [*before, *after]


def _max_pool(form: Form) -> list[Node]:
    if len(form.node.outputs) > 1 or form.attribute("storage_order", 0) or len(form.shape()) != 4:
        raise form.unsupported("the indices of the maxima, or a picture of other than two dimensions,")
    window = _window(form, form.attribute("kernel_shape"))
    if form.attribute("ceil_mode", 0):
        window["pads"] = _pads_of_last_windows(form, window)
    return [form.final("MaxPool", form.node.inputs[0], **window, ceil_mode=0)]


def _pads_of_last_windows(form: Form, window: dict[str, list[int]]) -> list[int]:
    """Return pads that give the output of ceil_mode without a partial last window.

    A window that would begin beyond the picture is left out, as in ONNX Runtime and torch.
    """
    before, after = window["pads"][:2], []
    for axis, size in enumerate(form.shape()[2:]):
        stride = window["strides"][axis]
        reach = (window["kernel_shape"][axis] - 1) * window["dilations"][axis] + 1
        last = -(-(size + before[axis] + window["pads"][axis + 2] - reach) // stride)
        if last * stride >= size + before[axis]:
            last -= 1
        after.append(max(0, last * stride + reach - size - before[axis]))
    return [*before, *after]


def _average_pool(form: Form) -> list[Node]:
    attributes = _window(form, form.attribute("kernel_shape"))
    if attributes.pop("dilations") != [1, 1] or len(form.shape()) != 4:
        raise form.unsupported("dilation, or a picture of other than two dimensions,")
    attributes["ceil_mode"] = form.attribute("ceil_mode", 0)
    attributes["count_include_pad"] = form.attribute("count_include_pad", 0)
    return [form.final("AveragePool", form.node.inputs[0], **attributes)]


def _window(form: Form, kernel: tuple[int, ...], transposed: bool = False) -> dict[str, list[int]]:
    """Return size, strides, dilations and pads (top, left, bottom, right) of a window, all explicit."""
    strides = list(form.attribute("strides", (1, 1)))
    dilations = list(form.attribute("dilations", (1, 1)))
    pads, automatic = list(form.attribute("pads", (0, 0, 0, 0))), form.text("auto_pad", "NOTSET")
    if automatic == "VALID":
        pads = [0, 0, 0, 0]
    elif automatic != "NOTSET" and not transposed:
        needed = []
        for size, reach, stride, dilation in zip(form.shape()[2:], kernel, strides, dilations, strict=True):
            covered = (-(-size // stride) - 1) * stride + (reach - 1) * dilation + 1
            needed.append(max(0, covered - size))
        less, more = [n // 2 for n in needed], [n - n // 2 for n in needed]
        pads = [*more, *less] if automatic == "SAME_LOWER" else [*less, *more]
    return {"kernel_shape": list(kernel), "strides": strides, "dilations": dilations, "pads": pads}


def _resize(form: Form) -> list[Node]:
    shape, mode = form.shape(), form.text("mode", "nearest")
    first = form.opset < 11 or form.node.operator == "Upsample"
    coordinates = "asymmetric" if first else form.text("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if first else form.text("nearest_mode", "round_prefer_floor")
    if (
        form.attribute("antialias", 0)
        or form.attribute("exclude_outside", 0)
        or form.text("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        raise form.unsupported("antialias, exclude_outside or keep_aspect_ratio_policy")
    axes = np.asarray(form.attribute("axes", range(len(shape)))) % len(shape)
    scales, sizes = _scales(form, first), None if first else form.constant(3)
    attributes = {
        "mode": mode.encode(),
        "coordinate_transformation_mode": coordinates.encode(),
        "nearest_mode": rounding.encode(),
    }
    if sizes is not None:
        full = np.array(shape, np.int64)
        full[axes] = sizes
        untouched = tuple(full[:2]) == shape[:2]
        inputs = [form.node.inputs[0], "", "", form.store("sizes", full, np.int64)]
    elif scales is not None:
        factors = np.ones(len(shape), np.float32)
        factors[axes] = scales
        untouched = bool((factors[:2] == 1).all())
        inputs = [form.node.inputs[0], "", form.store("scales", factors)]
    else:
        raise form.unsupported("neither scales nor sizes")
    if len(shape) != 4 or not untouched:
        raise form.unsupported("a change of the batch or of channels, or other than two dimensions,")
    return [form.final("Resize", *inputs, **attributes)]


def _scales(form: Form, first: bool) -> np.ndarray | None:
    if "scales" in form.node.attributes:
        return np.asarray(form.node.attributes["scales"], np.float32)
    return form.constant(1 if first else 2)


WINDOWS: dict[str, Callable[[Form], list[Node]]] = {
    "AveragePool": _average_pool,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "MaxPool": _max_pool,
    "Resize": _resize,
    "Upsample": _resize,
}
