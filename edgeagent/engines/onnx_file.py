"""Reading of ONNX files: one form of a model for every engine and for ``edgeagent qat``.

::

    file -> weights from other files put in -> nodes sorted, names unique -> batch of 1
        -> float32 inputs and outputs

An artefact of a bundle has this form already and is returned unchanged. The package ``onnx`` is not needed.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from edgeagent.bundle.onnx_message import GRAPH, external_entries, rewrite
from edgeagent.engines.engine import read_artefact
from edgeagent.engines.onnx_ends import fix_batch, make_single
from edgeagent.engines.onnx_nodes import name_nodes, sort_nodes
from edgeagent.errors import EngineError
from edgeagent.files.naming import escape_controls
from edgeagent.files.protobuf import Content, ProtobufMessage

_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14  # of a tensor
_MOST_BYTES = 2 << 30
"""Largest model in one piece: the most that a protocol buffer may have."""


def read_onnx(path: Path, sha256: str | None = None) -> bytes:
    """Return the content of a model, changed only where engines read models differently.

    Weights in other files of its folder are put in; nodes are sorted and get unique names; a free batch size
    becomes 1; inputs and outputs in half or double precision become float32.

    Args:
        path: of the file.
        sha256: expected of the file, in hexadecimal; None where nothing is known of it.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: the file or one with its weights cannot be read, or does not fit into the memory. A file
            that is no ONNX model is returned as it is: its engine says what is wrong.
    """
    try:
        return _read(path, sha256)
    except MemoryError:
        raise EngineError(
            f"{path}: the model does not fit into the memory; free some, or take a smaller model"
        ) from None


def _read(path: Path, sha256: str | None) -> bytes:
    content = read_artefact(path, sha256)
    weights = _Weights(path)
    try:
        whole = rewrite(content, "model", {"tensor": weights.put_into})
        model = ProtobufMessage.parse(whole)
        graph = ProtobufMessage.parse(model.part(GRAPH))
        changes = [change(graph) for change in (sort_nodes, fix_batch, make_single, name_nodes)]
    except ValueError:
        return content
    if any(changes):
        model.put(GRAPH, [graph.encode()])
        return model.encode()
    return bytes(whole)


class _Weights:
    """Weights of a model in other files of its folder, each read once."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._files: dict[str, memoryview] = {}
        self._bytes = 0  # put in so far

    def put_into(self, tensor: ProtobufMessage) -> bool:
        """Put the weights into a tensor that refers to a file; return whether it does.

        Raises:
            EngineError: the file is missing, too short, or not in the folder of the model.
        """
        entries = external_entries(tensor)
        if not entries:
            return False
        location = entries["location"]
        file = self._read(location)
        try:
            start = int(entries.get("offset", 0))
            end = start + int(entries["length"]) if "length" in entries else len(file)
        except ValueError:
            raise self._unreadable(location, "its offset or length is no number") from None
        if not 0 <= start <= end <= len(file):
            raise self._unreadable(location, f"it has {len(file)} bytes, the model reads up to byte {end}")
        self._bytes += end - start
        if self._bytes > _MOST_BYTES:
            raise self._unreadable(location, f"the weights have more than {_MOST_BYTES >> 30} GiB in all")
        tensor.put(_EXTERNAL_DATA, [])
        tensor.put(_DATA_LOCATION, [])
        tensor.put(_RAW_DATA, [file[start:end]])
        return True

    def _read(self, location: str) -> Content:
        if location not in self._files:
            name, folder = PurePosixPath(location), self._model.parent
            try:
                inside = (folder / name).resolve().is_relative_to(folder.resolve())
                if not location or not inside or name.is_absolute() or ".." in name.parts:
                    raise self._unreadable(location, "it is not in the folder of the model")
                if (folder / name).is_fifo() or (folder / name).is_char_device():
                    raise self._unreadable(location, "it is no file")
                size = (folder / name).stat().st_size
                if size > _MOST_BYTES:
                    raise self._unreadable(location, f"it has {size} bytes, more than a model can have")
                self._files[location] = memoryview((folder / name).read_bytes())
            except (OSError, RuntimeError, ValueError) as error:  # absent, a loop of links, a NUL in the name
                raise self._unreadable(location, getattr(error, "strerror", None) or str(error)) from None
        return self._files[location]

    def _unreadable(self, location: str, why: str) -> EngineError:
        return EngineError(
            f"{self._model}: its weights lie in {escape_controls(location)}, which cannot be read whole "
            f"({why}); put that file beside the model, or export the model into one file"
        )
