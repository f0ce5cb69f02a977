"""One way of writing for each operator, whatever opset it comes from.

Opsets 7 to 21 moved parameters between attributes and inputs, changed defaults and the meaning of axes.
Behind this package there is one form for each operator, valid from opset 13 on: sizes and axes are
constant inputs where opset 13 has them so, axes count from the front, pads are explicit, defaults are
written out. Some operators become others that every engine computes on integers (HardSwish, Flatten, Div
by a constant), see docs/adr/0008.
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
    """Adds nodes to a draft in their normal form.

    Args:
        draft: with the constants and shapes of everything before.
        opset: that the nodes are written in.
    """

    def __init__(self, draft: Draft, opset: int) -> None:
        self._draft, self._opset = draft, opset

    def add(self, node: Node) -> None:
        """Add a node; one that has no normal form is added as it is, with its problem noted."""
        form = _FORMS.get(node.operator)
        nodes = [node]
        if form is not None:
            try:
                nodes = form(Form(node, self._draft, self._opset))
            except DataError as error:
                self._draft.problems[node.name] = str(error)
        self._draft.nodes += nodes
