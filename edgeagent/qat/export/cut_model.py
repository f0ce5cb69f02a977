"""Float models whose own output is not decoded: their heads, cut as the factory cuts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.bundle.model_description import FloatModelDescription
from edgeagent.detection.detector import load_detector
from edgeagent.errors import BundleError, ConfigurationError, DataError, EngineError

ANY_IOU = 0.5


@dataclass(frozen=True)
class FloatFile:
    """File of a float model that a description decodes.

    Attributes:
        path: the file.
        outputs: roles of its raw outputs; empty for one output that is decoded as a whole.
    """

    path: Path
    outputs: tuple[OutputSpec, ...] = ()


def decodable_file(model: Path, description: FloatModelDescription, folder: Path) -> FloatFile:
    """Return the model itself, where its output can be decoded, else its heads in a file of a folder.

    The heads are cut where the description names some, too.

    Args:
        model: float ONNX file.
        description: description of the model.
        folder: an existing folder for the file of the heads.

    A model that does not load is returned as it is, for the error of the engine that is chosen later.

    Raises:
        ConfigurationError: the heads have to be cut and packages for that are missing.
        BundleError: neither the output nor the heads of the model are those of the description.
        DataError: the heads that the description names cannot be cut.
    """
    undecoded: BundleError | None = None
    if not description.heads:
        try:
            load_detector(description, model, "onnx", (), 1, ANY_IOU).engine.close()
        except BundleError as error:
            undecoded = error
        except EngineError:
            return FloatFile(model)
        else:
            return FloatFile(model)
    reason = undecoded or f"{model}: the description names heads"
    try:
        from edgeagent.qat.export.exports import export_reference
        from edgeagent.qat.graph.heads import check_heads
        from edgeagent.qat.graph.trainable import read_task_graph
    except ImportError as error:
        raise ConfigurationError(
            f"{reason}; its heads can be cut instead, which needs more packages ({error}); "
            "pip install 'edgeagent[qat]'"
        ) from error
    try:
        graph = read_task_graph(model, description.heads, description.task)
        check_heads(graph, description)
    except DataError as error:
        if undecoded is None:
            raise
        raise BundleError(f"{undecoded}. Nor can its heads be decoded: {error}") from error
    made = export_reference(graph, folder)
    own = folder / "heads"
    own.mkdir(exist_ok=True)
    return FloatFile(made.path.replace(own / model.name), made.outputs)
