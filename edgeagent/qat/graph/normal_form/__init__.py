"""Normal form of ONNX operators: one form per operator, independent of the opset of the file.

Opsets 7 to 25 moved parameters between attributes and inputs, and changed defaults and the meaning of axes.
The normal form is valid from opset 13 on: sizes and axes are constant inputs where opset 13 has them so, axes
count from the front, pads and defaults are explicit. Some operators are replaced by others that every engine
computes on integers (HardSwish, Flatten, Div by a constant), see docs/adr/0008.
"""

from __future__ import annotations

from collections.abc import Callable

from edgeagent.errors import DataError
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.normal_form.arithmetic import ARITHMETIC
from edgeagent.qat.graph.normal_form.form import Form
from edgeagent.qat.graph.normal_form.moves import MOVES
from edgeagent.qat.graph.normal_form.windows import WINDOWS

_FORMS: dict[str, Callable[[Form], list[Node]]] = {**ARITHMETIC, **MOVES, **WINDOWS}


class Forms:
    """Conversion of nodes to normal form.

    Args:
        draft: graph to append to, with the constants and shapes of all nodes before.
        opset: opset of the nodes.
    """

    def __init__(self, draft: Draft, opset: int) -> None:
        self._draft, self._opset = draft, opset

    def add(self, node: Node) -> None:
        """Append a node; one without a normal form is appended unchanged, and its problem is recorded."""
        form = _FORMS.get(node.operator)
        nodes = [node]
        if form is not None:
            try:
                nodes = form(Form(node, self._draft, self._opset))
            except DataError as error:
                self._draft.problems[node.name] = str(error)
        self._draft.nodes += nodes
