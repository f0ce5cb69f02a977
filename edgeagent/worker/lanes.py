"""Lanes of a worker: calls that wait are run side by side, each on a share of the threads.

::

    the call is the only one                       -> alone, on all threads: shortest latency
    another one waits behind it, or it came at once after one while others run
                                                   -> side by side, a lane each: most calls per second

Threads that share one call wait for each other after every operator, and two calls on one thread each do
not. A live camera below the rate of the engine is served alone; a file that is played as fast as it is
processed, and cameras that ask for more than the engine can do, are served side by side.

Each lane is a thread, and one lane at a time receives ("Leader/Followers", Schmidt et al. 2000), so a call is
answered by the thread that received it. The engines of the lanes, each of which takes as much memory as the
one that runs alone, are loaded once calls have waited, and are used only when all of them compute what the
engine that runs alone does.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.engines.engine import Buffers, Engine
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.worker.protocol import CALL, DONE, FAILED, LONGEST, CallMessage

logger = logging.getLogger(__name__)

WAITED = 8
"""Calls behind which another one waited, less the others, after which the engines of the lanes are loaded:
more than the frames on their way, which wait for each other when a pipeline starts."""
AT_ONCE = 4  # a call that came within this fraction of a run's time after the lane was free was kept waiting
TOLERANCE = 1e-3  # of real outputs, relative to their largest


@dataclass(frozen=True)
class LaneEngines:
    """Engines of a worker.

    Attributes:
        alone: runs a call on all threads.
        load: loads the engine of a lane.
        lanes: calls that may run at once; with 1 every call runs alone.
        waited: calls behind which another one waited, less the others, after which ``load`` is called.
    """

    alone: Engine
    load: Callable[[], Engine]
    lanes: int
    waited: int = WAITED


def lane_threads(threads: int) -> tuple[int, int]:
    """Return the lanes of a worker with so many threads, and the threads of each lane.

    Two lanes, or three where three share the threads evenly: a pipeline has four frames on their way, of
    which one is prepared or decoded.
    """
    lanes = 3 if threads % 3 == 0 else min(threads, 2)
    return lanes, threads // lanes


class Lanes:
    """Receives calls over a socket, runs them and answers, until the parent closes the socket.

    Args:
        parent: socket of whole messages; see :mod:`edgeagent.worker.protocol`.
        slots: shared buffers by slot number.
        engines: that run the calls.
    """

    def __init__(self, parent: socket.socket, slots: Sequence[Buffers], engines: LaneEngines) -> None:
        self._parent, self._slots, self._engines = parent, slots, engines
        self._receiving = threading.Lock()  # held while a lane receives, and while a call runs alone
        self._changed = threading.Condition()
        self._free: list[Engine] = []
        self._loaded = 0  # engines of lanes, free or running
        self._took_ns = 0  # of the last run side by side
        self._waited = 0  # calls behind which another one waited, less the others
        self._wanted, self._ended = (
            threading.Event(),
            False,
        )  # whether the engines of the lanes are to be loaded
        self._waiting = select.poll()
        self._waiting.register(parent, select.POLLIN)

    def serve(self) -> None:
        """Run calls; the calling thread is the first lane."""
        more: list[threading.Thread] = []
        if self._engines.lanes > 1:
            examples = [_Example(self._engines.alone), *[None] * (self._engines.lanes - 2)]
            more = [threading.Thread(target=self._lane, args=(example,)) for example in examples]
        if self._engines.waited == 0:
            self._wanted.set()
        for thread in more:
            thread.start()
        self._lane(None)
        self._ended = True
        self._wanted.set()
        for thread in more:
            thread.join()

    def _lane(self, example: _Example | None) -> None:
        """Load the engines of all lanes where ``example`` is given, and run calls."""
        try:
            if example is not None:
                self._wanted.wait()
                if self._ended:
                    return
                self._load(example)
            self._run()
        except Exception:  # the other lanes would answer on, and the parent would not see the end
            logger.exception("a worker's lane failed; report this as a bug of edgeagent")
            sys.stderr.flush()
            os._exit(1)

    def _load(self, example: _Example) -> None:
        """Load the engines of the lanes; without all of them, every call goes on running alone."""
        try:
            engines = [self._engines.load() for _ in range(self._engines.lanes)]
            for engine in engines:
                example.check(engine)
        except (EdgeagentError, MemoryError) as error:
            text = str(error) or "there is not enough memory for engines that run side by side"
            logger.warning("calls run one after the other: %s", text)
            return
        with self._changed:
            self._free, self._loaded = engines, len(engines)

    def _run(self) -> None:
        while True:
            with self._receiving:
                waited, ready_ns = bool(self._waiting.poll(0)), time.monotonic_ns()
                message = self._parent.recv(LONGEST)
                if not message:
                    return
                asked = CallMessage.decode(message)
                idle_ns = 0 if waited else time.monotonic_ns() - ready_ns
                engine = self._take(at_once=idle_ns <= self._took_ns // AT_ONCE)
                if engine is None:
                    self._answer(asked, self._engines.alone)
                    continue
            self._took_ns = self._answer(asked, engine)
            with self._changed:
                self._free.append(engine)
                self._changed.notify_all()

    def _count(self) -> None:
        """Count whether another call waits now; have the engines of the lanes loaded where most calls do."""
        if not self._wanted.is_set():
            self._waited = max(0, self._waited + (1 if self._waiting.poll(0) else -1))
            if self._waited >= self._engines.waited:
                self._wanted.set()

    def _take(self, at_once: bool) -> Engine | None:
        """Return the engine of a lane; None, once no call runs, for a call that is to run alone.

        Args:
            at_once: whether the call came as soon as the lane was free.
        """
        with self._changed:
            others_run = len(self._free) < self._loaded
            if self._free and ((others_run and at_once) or self._waiting.poll(0)):
                return self._free.pop()
            self._changed.wait_for(lambda: len(self._free) == self._loaded)
            return None

    def _answer(self, asked: CallMessage, engine: Engine) -> int:
        """Run a call and answer it; return the nanoseconds that it took."""
        started = time.monotonic_ns()
        try:
            if asked.kind == CALL:
                slot = self._slots[asked.slot]
                engine.infer(slot.inputs, slot.outputs)
            took = time.monotonic_ns() - started
            if engine is self._engines.alone:
                self._count()
            answer = CallMessage(DONE, asked.number, asked.slot, took)
        except EdgeagentError as error:
            took = time.monotonic_ns() - started
            answer = CallMessage(FAILED, asked.number, asked.slot, sentence=str(error))
        self._parent.send(answer.encode())
        return took


class _Example:
    """An input of noise, and what an engine computes of it."""

    def __init__(self, engine: Engine) -> None:
        self._given, random = engine.allocate(), np.random.default_rng(0)
        for array in self._given.inputs:
            if np.issubdtype(array.dtype, np.integer):
                array[...] = random.integers(0, 128, array.shape)
            else:
                array[...] = random.random(array.shape)
        self._failed = False
        try:
            engine.infer(self._given.inputs, self._given.outputs)
        except (EngineError, MemoryError):  # such as an index out of range; a call tells it
            self._failed = True

    def check(self, engine: Engine) -> None:
        """Check that another engine computes the same; this also warms it up.

        Raises:
            EngineError: it fails, or computes something else.
        """
        if self._failed:
            raise EngineError("the model does not run on noise")
        outputs = engine.allocate().outputs
        engine.infer(self._given.inputs, outputs)
        for spec, wanted, found in zip(engine.outputs, self._given.outputs, outputs, strict=True):
            whole = np.issubdtype(spec.dtype, np.integer)
            scale = 1.0 if whole else TOLERANCE * float(np.abs(wanted).max(initial=0.0))
            if not np.allclose(found.astype(np.float64), wanted.astype(np.float64), rtol=0, atol=scale):
                raise EngineError(f"output {spec.name} depends on the number of threads")
