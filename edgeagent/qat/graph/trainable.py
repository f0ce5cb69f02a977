"""Trainable graph: a float detector, cut at its heads, after exact rewrites that help quantization."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeagent.qat.graph.focus import fold_focus
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.graph.hard_gates import gates_as_convolutions


def read_trainable_graph(path: Path, heads: Sequence[str] = ()) -> Graph:
    """Read a float detector; arguments and errors as :func:`edgeagent.qat.graph.graph.read_graph`.

    Raises:
        DataError: the detector cannot be read or trained.
    """
    return gates_as_convolutions(fold_focus(read_graph(path, heads)))
