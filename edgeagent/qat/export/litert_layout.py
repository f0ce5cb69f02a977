"""A mistake in litert-torch 0.10.0, kept from doing harm.

Its layout pass replaces all that is noted about a dequantized tensor, the shape too, when one reader wants it
channels last. A second reader that wants the same then fails with "Attempting to convert non-NHWC compatible
node". It happens where channels-first operators (attention) meet several convolutions or concatenations.
"""

from __future__ import annotations

from typing import Any


def keep_shapes() -> None:
    """Make the layout pass of this process keep the shapes of tensors."""
    from litert_torch._convert.fx_passes.optimize_layout_transposes_pass import pass_body

    layout = pass_body.OptimizeLayoutTransposesPass
    insert = layout.insert_t_q_dq

    def insert_and_keep(self: Any, graph: Any, input_dq: Any, *rest: Any) -> Any:
        noted = dict(input_dq.meta)
        nodes = insert(self, graph, input_dq, *rest)
        input_dq.meta = {**noted, **input_dq.meta}
        return nodes

    layout.insert_t_q_dq = insert_and_keep
