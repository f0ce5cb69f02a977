"""The worker: a process that runs one artefact on one delegate until its agent is gone.

Started by :mod:`edgeagent.worker.engine` as ``python -m edgeagent.worker.process SOCKET PARENT``,
a file descriptor and a process id. A delegate that crashes takes this process down and nothing else.
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
    """Serve the agent on the other end of a socket."""
    descriptor, parent = (int(argument) for argument in arguments)
    sandbox.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the agent decides
    faulthandler.enable()
    sandbox.give_up_core_dumps()
    offline = sandbox.give_up_network()
    with socket.socket(fileno=descriptor) as agent:
        order = LoadRequest.decode(agent.recv(LONGEST))
        try:
            engine = _load(order)
        except EdgeagentError as error:
            agent.send(LoadReply(__version__, error=str(error)).encode())
            return
        opened = LoadReply(__version__, engine.inputs, engine.outputs, engine.facts, offline)
        agent.send(opened.encode())
        _serve(agent, engine)


def _load(order: LoadRequest) -> Engine:
    if order.cpus:
        os.sched_setaffinity(0, order.cpus)
    if order.nice:
        os.nice(order.nice)
    return load_on(order.delegate, order.path, order.threads, order.cache)


def _serve(agent: socket.socket, engine: Engine) -> None:
    message, descriptors, _, _ = socket.recv_fds(agent, LONGEST, 1)
    if not descriptors:
        return  # the agent has gone, or wanted nothing but to see it load
    slots = SharedBuffers(engine.inputs, engine.outputs, int(message), descriptors[0])
    slots.forget_descriptor()
    while message := agent.recv(LONGEST):
        asked = CallMessage.decode(message)
        started = time.monotonic_ns()
        try:
            if asked.kind == CALL:
                engine.infer(slots[asked.slot].inputs, slots[asked.slot].outputs)
            took = time.monotonic_ns() - started
            answer = CallMessage(DONE, asked.number, asked.slot, took)
        except EdgeagentError as error:
            answer = CallMessage(FAILED, asked.number, asked.slot, sentence=str(error))
        agent.send(answer.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
