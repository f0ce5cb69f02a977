"""Float models whose own output is not decoded: their heads, cut as the factory cuts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.bundle.model_description import FloatModelDescription
from edgeagent.detection.detector import load_detector
from edgeagent.errors import BundleError, ConfigurationError

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

    Raises:
        ConfigurationError: the heads have to be cut and packages for that are missing.
        DataError: the graph cannot be read, or its heads are not those of the description.
        EngineError: the model cannot be loaded.
    """
    reason = "the description names heads"
    if not description.heads:
        try:
            load_detector(description, model, "onnx", (), 1, ANY_IOU).engine.close()
        except BundleError as error:
            reason = str(error)
        else:
            return FloatFile(model)
    try:
        from edgeagent.qat.export.exports import export_reference
        from edgeagent.qat.graph.graph import read_graph
        from edgeagent.qat.graph.heads import check_heads
    except ImportError as error:
        raise ConfigurationError(
            f"{reason}; its heads can be cut instead, which needs more packages ({error}); "
            "pip install 'edgeagent[qat]'"
        ) from error
    graph = read_graph(model, description.heads)
    check_heads(graph, description)
    made = export_reference(graph, folder)
    return FloatFile(made.path.replace(folder / model.name), made.outputs)
