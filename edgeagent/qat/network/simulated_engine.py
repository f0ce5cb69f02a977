"""Simulated engine: the network behind the engine protocol, measured by the same code as real engines.

Its results are *simulated*: float arithmetic on rounded values. An artefact in a real engine may round some
values differently.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from edgeagent.engines.engine import Array, EngineFacts, LoadedEngine, TensorSpec, check_buffers
from edgeagent.qat.network.network import Network


class SimulatedEngine(LoadedEngine):
    """Engine that runs a network in its present mode: (1, 3, h, w) float32, normalized, to float32 heads.

    Args:
        network: network to run, on its device.
    """

    def __init__(self, network: Network) -> None:
        started = time.monotonic()
        self._network = network
        self._device = next(network.parameters()).device
        graph, real = network.graph, np.dtype(np.float32)
        self._inputs = (TensorSpec(graph.input, graph.input_shape, real),)
        self._outputs = tuple(TensorSpec(head.tensor, head.shape, real) for head in graph.heads)
        threads = torch.get_num_threads()
        self._facts = EngineFacts(
            "torch", torch.__version__, "simulated", threads, time.monotonic() - started
        )

    @torch.no_grad()
    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        heads = self._network(torch.from_numpy(inputs[0]).to(self._device))
        for head, output in zip(heads, outputs, strict=True):
            np.copyto(output, head.cpu().numpy(), casting="no")

    def close(self) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
