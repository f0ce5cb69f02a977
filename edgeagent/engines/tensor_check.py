"""Check of the tensors of a loaded artefact or float model against its manifest or description.

Raw outputs are (1, channels, height, width) or (1, height, width, channels), the same order for all of an
artefact; one concatenated output is (1, cells, channels) or (1, channels, cells), and one of final detections
(1, detections, 6). Models for instances have prototypes of masks, too (:mod:`edgeagent.engines.mask_check`).
"""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.bundle.cells import cells_along
from edgeagent.bundle.manifest import MASK_ROLES, Manifest, ModelDescription, OutputSpec, Role
from edgeagent.bundle.task import OBJECT_TASKS, Task
from edgeagent.engines.category_check import check_category
from edgeagent.engines.engine import TensorSpec
from edgeagent.engines.mask_check import PROTOTYPES, check_coefficients, count_prototypes
from edgeagent.errors import BundleError

_SSD_OUTPUTS = 4  # boxes, classes, scores, count (TFLite_Detection_PostProcess)
_WITH_OBJECTNESS, _WITHOUT_OBJECTNESS = ("box", "objectness", "classes"), ("box", "classes")
_ROLES = {
    "yolox": _WITH_OBJECTNESS,
    "yolov5": _WITH_OBJECTNESS,
    "yolov8": _WITHOUT_OBJECTNESS,
    "rtmdet": _WITHOUT_OBJECTNESS,
}
_OF_TASK: dict[Task, tuple[Role, ...]] = {"instances": ("mask",)}
"""Roles at each stride beside those of the family."""
_DETECTION = 6  # numbers of a final detection: x1, y1, x2, y2, score, class


def check_tensors(
    manifest: ModelDescription,
    declared: Sequence[OutputSpec],
    where: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
) -> None:
    """Compare a loaded model's tensors with its description.

    The number of labels of family ``ssd`` is checked where the engine knows the number of classes.

    Args:
        manifest: what the model should be.
        declared: roles of its raw outputs; empty for one concatenated output.
        where: what was loaded, for messages.
        inputs: of the engine, in call order.
        outputs: of the engine, in call order.

    Raises:
        BundleError: a tensor is missing, superfluous, misnamed or of another shape.
    """
    _check_input(manifest, where, inputs)
    document = _document(manifest)
    if manifest.task not in OBJECT_TASKS:
        check_category(manifest, declared, where, outputs)
        return
    if manifest.decoder.family == "ssd":
        if declared:
            raise BundleError(f"{where}: family ssd decodes in the graph; {document} must list no outputs")
        _check_count(where, outputs, _SSD_OUTPUTS, document)
        _check_classes(where, outputs, len(manifest.labels), document)
        return
    masked = manifest.task == "instances"
    prototypes = count_prototypes(manifest, declared, where, outputs) if masked else 0
    if declared:
        _check_roles(manifest, where, declared, document)
        _check_raw(manifest, declared, where, outputs, prototypes)
    else:
        _check_count(where, outputs, 2 if masked else 1, document)
        if manifest.decoder.nms == "none":
            _check_final(where, outputs[0])
        else:
            _check_concatenated(manifest, where, outputs[0], prototypes)


def _document(described: ModelDescription) -> str:
    """Return the name of what describes the model, for messages: a float model has no manifest."""
    return "the manifest" if isinstance(described, Manifest) else "the description"


def _check_input(manifest: ModelDescription, where: str, inputs: Sequence[TensorSpec]) -> None:
    spec = manifest.input
    if len(inputs) != 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise BundleError(
            f"{where}: has the inputs {names}, needs one picture; export the model without its "
            "post-processing (PaddleDetection: -o export.benchmark=True), or with further inputs as constants"
        )
    nhwc, nchw = (1, spec.height, spec.width, 3), (1, 3, spec.height, spec.width)
    wanted = nhwc if spec.layout == "nhwc" else nchw
    if inputs[0].shape != wanted:
        raise BundleError(
            f"{where}: input {inputs[0].name} has the shape {inputs[0].shape}, {_document(manifest)} says "
            f"{wanted} ({spec.layout}, batch 1, 3 colours)"
        )


def _check_count(where: str, outputs: Sequence[TensorSpec], wanted: int, document: str) -> None:
    if len(outputs) != wanted:
        raise BundleError(f"{where}: has {len(outputs)} outputs, needs {wanted} by {document}")


def _check_classes(where: str, outputs: Sequence[TensorSpec], labels: int, document: str) -> None:
    classes = next((tensor.classes for tensor in outputs if tensor.classes is not None), None)
    if classes is not None and labels < classes:
        raise BundleError(
            f"{where}: predicts {classes} classes, {document} lists {labels} labels; give each class a label"
        )


def _check_roles(
    manifest: ModelDescription, where: str, outputs: Sequence[OutputSpec], document: str
) -> None:
    decoder = manifest.decoder
    roles = (*_ROLES[decoder.family], *_OF_TASK.get(manifest.task, ()))
    wanted = sorted((stride, role) for stride in decoder.strides for role in roles)
    if sorted((one.stride, one.role) for one in outputs if one.role != PROTOTYPES) != wanted:
        raise BundleError(
            f"{where}: family {decoder.family} needs the outputs {', '.join(roles)} once "
            f"for each of the strides {', '.join(map(str, decoder.strides))}; {document} lists others"
        )


def _check_raw(
    manifest: ModelDescription,
    roles: Sequence[OutputSpec],
    where: str,
    outputs: Sequence[TensorSpec],
    prototypes: int,
) -> None:
    names, found = [item.name for item in roles], [item.name for item in outputs]
    if names != found:
        raise BundleError(f"{where}: has the outputs {found}, {_document(manifest)} says {names}")
    check_coefficients(roles, where, outputs, prototypes)
    orders = {"nchw", "nhwc"}
    for declared, tensor in zip(roles, outputs, strict=True):
        channels = prototypes if declared.role in MASK_ROLES else _channels(manifest, declared)
        height = cells_along(manifest.input.height, declared.stride)
        width = cells_along(manifest.input.width, declared.stride)
        shapes = {"nchw": (1, channels, height, width), "nhwc": (1, height, width, channels)}
        if tensor.shape not in shapes.values():
            raise BundleError(
                f"{where}: output {tensor.name} ({declared.role}, stride {declared.stride}) has the shape "
                f"{tensor.shape}, needs {shapes['nchw']} or {shapes['nhwc']}"
            )
        orders &= {order for order, shape in shapes.items() if shape == tensor.shape}
    if not orders:
        raise BundleError(f"{where}: some outputs have their channels first, others last")


def _channels(manifest: ModelDescription, declared: OutputSpec) -> int:
    boxes = len(manifest.decoder.anchors_by_stride().get(declared.stride, ())) or 1
    if declared.role == "classes":
        return boxes * len(manifest.labels)
    if declared.role == "objectness":
        return boxes
    return boxes * 4 * (manifest.decoder.reg_max if manifest.decoder.family == "yolov8" else 1)


def _check_concatenated(manifest: ModelDescription, where: str, output: TensorSpec, prototypes: int) -> None:
    decoder = manifest.decoder
    width, height = manifest.input.width, manifest.input.height
    anchors = decoder.anchors_by_stride()
    cells = sum(
        (len(anchors.get(stride, ())) or 1) * cells_along(width, stride) * cells_along(height, stride)
        for stride in decoder.strides
    )
    channels = 4 + ("objectness" in _ROLES[decoder.family]) + len(manifest.labels) + prototypes
    shapes = ((1, cells, channels), (1, channels, cells))
    if output.shape not in shapes:
        raise BundleError(
            f"{where}: output {output.name} has the shape {output.shape}, needs {shapes[0]} or {shapes[1]} "
            f"for {len(manifest.labels)} labels{f' and {prototypes} prototypes' if prototypes else ''}"
        )


def _check_final(where: str, output: TensorSpec) -> None:
    if len(output.shape) != 3 or output.shape[0] != 1 or output.shape[2] != _DETECTION:
        raise BundleError(
            f"{where}: output {output.name} has the shape {output.shape}, needs (1, detections, "
            f"{_DETECTION}) for a decoder without non-maximum suppression (x1, y1, x2, y2, score, class)"
        )
