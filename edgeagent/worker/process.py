"""Worker process: runs one artefact on one delegate until its parent closes the socket or ends.

Started by :mod:`edgeagent.worker.engine` as ``python -m edgeagent.worker.process SOCKET PARENT``: number of
the inherited socket, process id of the parent. A crash of the delegate ends this process only.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys

from edgeagent.engines.engine import Engine
from edgeagent.engines.loading import load_on
from edgeagent.errors import DamagedModelError, EdgeagentError
from edgeagent.version import __version__
from edgeagent.worker import sandbox
from edgeagent.worker.heap import return_freed_memory
from edgeagent.worker.lanes import LaneEngines, Lanes, lane_threads
from edgeagent.worker.protocol import LONGEST, LoadReply, LoadRequest
from edgeagent.worker.shared_buffers import SharedBuffers


def main(arguments: list[str]) -> None:
    """Serve the parent at the other end of the socket."""
    descriptor, parent = (int(argument) for argument in arguments)
    sandbox.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the parent decides
    faulthandler.enable()
    return_freed_memory()
    sandbox.give_up_core_dumps()
    offline = sandbox.give_up_network()
    with socket.socket(fileno=descriptor) as parent_socket:
        first = parent_socket.recv(LONGEST)
        if not first:
            return  # the parent has closed the socket
        request = LoadRequest.decode(first)
        try:
            _take_place(request)
            engine = _load(request, request.threads)
        except EdgeagentError as error:
            damaged = isinstance(error, DamagedModelError)
            parent_socket.send(LoadReply(__version__, error=str(error), damaged=damaged).encode())
            return
        reply = LoadReply(__version__, engine.inputs, engine.outputs, engine.facts, offline)
        parent_socket.send(reply.encode())
        _serve(parent_socket, request, engine)


def _take_place(request: LoadRequest) -> None:
    """Take the processors and the niceness of the request, before there are threads."""
    if request.cpus:
        os.sched_setaffinity(0, request.cpus)
    if request.nice:
        os.nice(request.nice)


def _load(request: LoadRequest, threads: int) -> Engine:
    return load_on(request.delegate, request.path, threads, request.cache, request.sha256)


def _serve(parent_socket: socket.socket, request: LoadRequest, engine: Engine) -> None:
    message, descriptors, _, _ = socket.recv_fds(parent_socket, LONGEST, 1)
    if not descriptors:
        return  # the parent has closed the socket
    slots = SharedBuffers(engine.inputs, engine.outputs, int(message), descriptors[0])
    slots.forget_descriptor()
    lanes, threads = lane_threads(request.threads) if request.side_by_side else (1, request.threads)
    engines = LaneEngines(engine, lambda: _load(request, threads), lanes)
    Lanes(parent_socket, tuple(slots), engines).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
