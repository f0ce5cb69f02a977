"""Trainable graph: a float model, cut at its heads, after exact rewrites that help quantization."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeagent.bundle.task import Task
from edgeagent.qat.graph.category_heads import with_roles_of
from edgeagent.qat.graph.focus import fold_focus
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.graph.hard_gates import gates_as_convolutions


def read_trainable_graph(path: Path, heads: Sequence[str] = (), task: Task = "detection") -> Graph:
    """Read a float model; other arguments and errors as :func:`edgeagent.qat.graph.graph.read_graph`.

    Args:
        path: ONNX file.
        heads: names of the heads.
        task: task of the model, which says what its heads predict.

    Raises:
        DataError: the model cannot be read or trained.
    """
    return gates_as_convolutions(fold_focus(with_roles_of(task, read_graph(path, heads))))
