"""Trainable graph: a float model, cut at its heads, after exact rewrites that help quantization."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgeagent.bundle.task import Task
from edgeagent.qat.graph.category_heads import with_category
from edgeagent.qat.graph.focus import fold_focus
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.graph.hard_gates import gates_as_convolutions
from edgeagent.qat.graph.mask_heads import with_mask_roles


def read_trainable_graph(path: Path, heads: Sequence[str] = (), task: Task = "detection") -> Graph:
    """Read a float model; other arguments and errors as :func:`edgeagent.qat.graph.graph.read_graph`.

    Args:
        path: ONNX file.
        heads: names of the heads.
        task: task of the model, which says what its heads predict.

    Raises:
        DataError: the model cannot be read or trained.
    """
    return gates_as_convolutions(fold_focus(read_task_graph(path, heads, task)))


def read_task_graph(path: Path, heads: Sequence[str], task: Task) -> Graph:
    """Read a float model as it is, with the roles that its task gives to its heads.

    Arguments and errors as :func:`read_trainable_graph`.
    """
    graph = read_graph(path, heads, task)
    return _WITH_ROLES[task](graph) if task in _WITH_ROLES else graph


_WITH_ROLES: Mapping[Task, Callable[[Graph], Graph]] = {
    "classification": with_category,
    "segmentation": with_category,
    "instances": with_mask_roles,
}
