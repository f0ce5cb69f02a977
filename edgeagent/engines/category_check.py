"""Check of the tensors of classifiers and segmenters.

Their only output has the role ``category``: one score for each class, of a segmenter in each cell. A
segmenter may tell two classes apart by one score.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.bundle.cells import cells_along
from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import BundleError

CATEGORY = "category"


def check_category(
    manifest: ModelDescription, declared: Sequence[OutputSpec], where: str, outputs: Sequence[TensorSpec]
) -> None:
    """Compare the outputs of a loaded classifier or segmenter with its description.

    Args:
        manifest: what the model should be.
        declared: roles of its outputs.
        where: what was loaded, for messages.
        outputs: of the engine, in call order.

    Raises:
        BundleError: there is another number of outputs, or one of another role, name or shape.
    """
    task, labels = manifest.task, len(manifest.labels)
    roles = [output.role for output in declared]
    if roles != [CATEGORY]:
        listed = ", ".join(roles) or "none"
        raise BundleError(
            f"{where}: a model for {task} has one output of the role {CATEGORY}; listed are {listed}"
        )
    if [tensor.name for tensor in outputs] != [declared[0].name]:
        found = ", ".join(tensor.name for tensor in outputs)
        raise BundleError(f"{where}: has the outputs {found}, {declared[0].name} is listed")
    shapes = _shapes(manifest, declared[0].stride, labels)
    if outputs[0].shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise BundleError(
            f"{where}: output {outputs[0].name} has the shape {outputs[0].shape}, {task} with {labels} "
            f"labels needs {wanted}; give each class a label"
        )


def _shapes(manifest: ModelDescription, stride: int, labels: int) -> tuple[tuple[int, ...], ...]:
    if manifest.task == "classification":
        return ((1, labels), (1, labels, 1, 1), (1, 1, 1, labels))
    rows, columns = cells_along(manifest.input.height, stride), cells_along(manifest.input.width, stride)
    channels = (labels, 1) if labels == 2 else (labels,)
    return tuple(
        shape for count in channels for shape in ((1, count, rows, columns), (1, rows, columns, count))
    )
