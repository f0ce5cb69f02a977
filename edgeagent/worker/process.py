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
import time

from edgeagent.engines.engine import Engine
from edgeagent.engines.loading import load_on
from edgeagent.errors import EdgeagentError
from edgeagent.version import __version__
from edgeagent.worker import sandbox
from edgeagent.worker.protocol import (
    CALL,
    DONE,
    FAILED,
    LONGEST,
    CallMessage,
    LoadReply,
    LoadRequest,
)
from edgeagent.worker.shared_buffers import SharedBuffers


def main(arguments: list[str]) -> None:
    """Serve the parent at the other end of the socket."""
    descriptor, parent = (int(argument) for argument in arguments)
    sandbox.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the parent decides
    faulthandler.enable()
    sandbox.give_up_core_dumps()
    offline = sandbox.give_up_network()
    with socket.socket(fileno=descriptor) as parent_socket:
        request = LoadRequest.decode(parent_socket.recv(LONGEST))
        try:
            engine = _load(request)
        except EdgeagentError as error:
            parent_socket.send(LoadReply(__version__, error=str(error)).encode())
            return
        reply = LoadReply(__version__, engine.inputs, engine.outputs, engine.facts, offline)
        parent_socket.send(reply.encode())
        _serve(parent_socket, engine)


def _load(request: LoadRequest) -> Engine:
    if request.cpus:
        os.sched_setaffinity(0, request.cpus)
    if request.nice:
        os.nice(request.nice)
    return load_on(request.delegate, request.path, request.threads, request.cache)


def _serve(parent_socket: socket.socket, engine: Engine) -> None:
    message, descriptors, _, _ = socket.recv_fds(parent_socket, LONGEST, 1)
    if not descriptors:
        return  # the parent has closed the socket
    slots = SharedBuffers(engine.inputs, engine.outputs, int(message), descriptors[0])
    slots.forget_descriptor()
    while message := parent_socket.recv(LONGEST):
        asked = CallMessage.decode(message)
        started = time.monotonic_ns()
        try:
            if asked.kind == CALL:
                engine.infer(slots[asked.slot].inputs, slots[asked.slot].outputs)
            took = time.monotonic_ns() - started
            answer = CallMessage(DONE, asked.number, asked.slot, took)
        except EdgeagentError as error:
            answer = CallMessage(FAILED, asked.number, asked.slot, sentence=str(error))
        parent_socket.send(answer.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
