"""The worker: a process that runs one artefact on one delegate until its agent is gone.

Started by :mod:`edgeagent.runtime.worker` as ``python -m edgeagent.runtime.worker_process SOCKET PARENT``,
a file descriptor and a process id. A delegate that crashes takes this process down and nothing else.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import time

import edgeagent
from edgeagent.errors import EdgeagentError
from edgeagent.runtime import sandbox
from edgeagent.runtime.engine import Engine
from edgeagent.runtime.loading import load_on
from edgeagent.runtime.slots import Slots
from edgeagent.runtime.worker_protocol import CALL, DONE, FAILED, LONGEST, About, Opened, Order


def main(arguments: list[str]) -> None:
    """Serve the agent on the other end of a socket."""
    descriptor, parent = (int(argument) for argument in arguments)
    sandbox.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the agent decides
    faulthandler.enable()
    sandbox.give_up_core_dumps()
    offline = sandbox.give_up_network()
    with socket.socket(fileno=descriptor) as agent:
        order = Order.decode(agent.recv(LONGEST))
        try:
            engine = _load(order)
        except EdgeagentError as error:
            agent.send(Opened(edgeagent.__version__, error=str(error)).encode())
            return
        opened = Opened(edgeagent.__version__, engine.inputs, engine.outputs, engine.facts, offline)
        agent.send(opened.encode())
        _serve(agent, engine)


def _load(order: Order) -> Engine:
    if order.cpus:
        os.sched_setaffinity(0, order.cpus)
    if order.nice:
        os.nice(order.nice)
    return load_on(order.delegate, order.path, order.threads, order.cache)


def _serve(agent: socket.socket, engine: Engine) -> None:
    message, descriptors, _, _ = socket.recv_fds(agent, LONGEST, 1)
    if not descriptors:
        return  # the agent has gone, or wanted nothing but to see it load
    slots = Slots(engine.inputs, engine.outputs, int(message), descriptors[0])
    slots.forget_descriptor()
    while message := agent.recv(LONGEST):
        asked = About.decode(message)
        started = time.monotonic_ns()
        try:
            if asked.kind == CALL:
                engine.infer(slots[asked.slot].inputs, slots[asked.slot].outputs)
            took = time.monotonic_ns() - started
            answer = About(DONE, asked.number, asked.slot, took)
        except EdgeagentError as error:
            answer = About(FAILED, asked.number, asked.slot, sentence=str(error))
        agent.send(answer.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
