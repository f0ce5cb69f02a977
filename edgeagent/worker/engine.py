"""Engine in a worker process, so that a crash or a hang of its delegate does not end this process.

::

    WorkerEngine (this process)  <------ socket: messages of protocol.py ------>  process.py (worker)
               \\_________ inputs and outputs in shared memory (shared_buffers.py) _________/

Every call has a deadline, which counts only time in which the worker could have worked (starvation.py). A
worker that exits, or that misses a deadline and is killed, cannot be used any more: its calls raise
:class:`WorkerDiedError` or :class:`WorkerHungError`. Starting another one is up to the caller; see
:mod:`edgeagent.detection.serving`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.engines.engine import Array, Buffers, Call, Done, LoadedEngine, check_buffers
from edgeagent.errors import DamagedModelError, EngineError
from edgeagent.version import __version__
from edgeagent.worker.last_words import last_words
from edgeagent.worker.protocol import (
    CALL,
    FAILED,
    LONGEST,
    PING,
    CallMessage,
    LoadReply,
    LoadRequest,
)
from edgeagent.worker.run_state import read_run_state
from edgeagent.worker.shared_buffers import SharedBuffers
from edgeagent.worker.start import start_worker
from edgeagent.worker.starvation import DeadlineWatch

SLOTS = 8
LOAD_DEADLINE_S = 120.0
CALL_DEADLINE_S = 2.0
END_DEADLINE_S = 1.0
STDERR_TAIL = 32768  # bytes at the end of the worker's stderr, in which its last words are looked for


class WorkerDiedError(EngineError):
    """The worker process ended: by a signal, or by an error that it did not report."""


class WorkerHungError(EngineError):
    """The worker did not answer before the deadline and was killed."""


class WorkerStarvedError(WorkerHungError):
    """The worker got no processor for so long that it was killed; it may work on a machine with less load."""


class WorkerEngine(LoadedEngine):
    """An artefact on a delegate, in a worker process.

    Buffers of :meth:`allocate` lie in shared memory and are used in place; others are copied. The kernel
    kills the worker when the thread that created it ends, so create it in a thread that lives as long.

    Args:
        request: what the worker loads, and how.
        deadline_s: seconds that a call may take.
        load_deadline_s: seconds that loading may take.
        slots: sets of shared buffers that :meth:`allocate` can give.

    Attributes:
        offline: whether the kernel refuses the worker internet sockets.
        deadline_s: seconds that a call may take.

    Raises:
        DamagedModelError: the artefact is not the one of the request.
        EngineError: the artefact or delegate cannot be loaded.
        WorkerDiedError, WorkerHungError: the worker died or hung while it loaded; it is gone.
    """

    def __init__(
        self,
        request: LoadRequest,
        deadline_s: float = CALL_DEADLINE_S,
        load_deadline_s: float = LOAD_DEADLINE_S,
        slots: int = SLOTS,
    ) -> None:
        self._name = f"{request.path}: {request.delegate.name}"
        self._sending, self._receiving, self._spare = threading.Lock(), threading.Lock(), threading.Lock()
        self._expected: dict[int, None] = {}  # calls without an answer, the oldest first
        self._answers: dict[int, CallMessage] = {}
        self._number, self._given, self.deadline_s = 0, 0, deadline_s
        # the error of all later calls; not the exception, whose traceback would keep the shared memory
        self._ended: tuple[type[EngineError], str] | None = None
        try:
            started = start_worker()
        except OSError as error:
            raise EngineError(f"{self._name}: a worker process cannot be started ({error})") from error
        self._stderr, self._socket, self._process = started.stderr, started.socket, started.process
        try:
            self._load(request, load_deadline_s)
            # the last slot takes copies of buffers that are not shared
            shared = SharedBuffers(self._inputs, self._outputs, slots + 1)
            try:
                socket.send_fds(self._socket, [str(slots + 1).encode()], [shared.descriptor])
            except OSError:
                raise self._died() from None
            finally:
                shared.forget_descriptor()
        except BaseException:
            self._end()
            raise
        self._spare_slot = slots
        self._slots = dict(enumerate(shared))
        self._numbers = {id(self._slots[n].outputs[0]): n for n in range(slots)}

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def allocate(self) -> Buffers:
        """Return buffers in shared memory; after ``slots`` sets, buffers of this process that are copied."""
        with self._sending:
            number, self._given = self._given, self._given + 1
            slot = self._slots.get(number) if number < self._spare_slot else None
        return slot or super().allocate()

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Run once; see :class:`edgeagent.engines.engine.Engine`.

        Raises:
            EngineError: the engine failed; the worker can still be used.
            WorkerDiedError, WorkerHungError: the worker is gone.
        """
        self.begin(inputs, outputs).wait()

    def begin(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Call:
        """Send a call; the worker begins calls in the order in which they were sent.

        Raises:
            WorkerDiedError, WorkerHungError: the worker is gone.
        """
        number = self._numbers.get(id(outputs[0]))
        if number is not None and self._is_slot(number, inputs, outputs):
            return _SentCall(self, self._send_call(CALL, number))
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        with self._spare:
            slot = self._slots.get(self._spare_slot)
            if slot is None:
                raise self._error()
            for given, shared in zip(inputs, slot.inputs, strict=True):
                np.copyto(shared, given)
            took = self._receive_answer(self._send_call(CALL, self._spare_slot))
            for given, shared in zip(outputs, slot.outputs, strict=True):
                np.copyto(given, shared)
        return Done(took)

    def ping(self) -> None:
        """Check that an idle worker answers; a busy one is supervised by the deadline of its call.

        Raises:
            WorkerDiedError, WorkerHungError: it does not answer.
        """
        self._check_alive()
        if not self._expected:
            self._receive_answer(self._send_call(PING, 0))

    def close(self) -> None:
        """End the worker; it cannot be used afterwards. Calls that were begun fail."""
        with self._sending:
            self._ended = self._ended or (EngineError, f"{self._name}: the worker was closed")
        with contextlib.suppress(OSError):  # wakes whoever waits for an answer
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._receiving, self._sending:
            self._end()
            self._slots, self._numbers = {}, {}  # the memory is freed when no caller has buffers any more

    def _is_slot(self, number: int, inputs: Sequence[Array], outputs: Sequence[Array]) -> bool:
        slot = self._slots.get(number)
        if slot is None:
            return False
        given = zip((*inputs, *outputs), (*slot.inputs, *slot.outputs), strict=True)
        return all(one is other for one, other in given)

    def _load(self, request: LoadRequest, deadline_s: float) -> None:
        self._send(request.encode())
        reply = LoadReply.decode(self._receive("loading", DeadlineWatch(deadline_s)))
        if reply.version != __version__:
            raise EngineError(
                f"{self._name}: this agent is version {__version__}, the installed one "
                f"{reply.version}; restart the agent"
            )
        if reply.facts is None:
            kind = DamagedModelError if reply.damaged else EngineError
            raise kind(reply.error or f"{self._name}: the worker gave no reason")
        self._inputs, self._outputs, self._facts = reply.inputs, reply.outputs, reply.facts
        self.offline = reply.offline

    def _send_call(self, kind: bytes, slot: int) -> int:
        """Send a call and return its number."""
        with self._sending:
            self._check_alive()
            self._number = (self._number + 1) % 2**32
            self._expected[self._number] = None
            self._send(CallMessage(kind, self._number, slot).encode())
            return self._number

    def _receive_answer(self, number: int) -> int:
        """Wait for the answer to a call, and return the nanoseconds that the engine worked.

        One waiter receives the answers of all. The deadline is that of the oldest call without an answer,
        whether or not calls beside it are answered.
        """
        with self._receiving:
            watch, oldest = DeadlineWatch(self.deadline_s), self._oldest()
            while number not in self._answers:
                self._check_alive()
                message = CallMessage.decode(self._receive("a call", watch))
                self._answers[message.number] = message
                with self._sending:
                    self._expected.pop(message.number, None)
                if message.number == oldest:
                    watch, oldest = DeadlineWatch(self.deadline_s), self._oldest()
            answer = self._answers.pop(number)
        if answer.kind == FAILED:
            raise EngineError(answer.sentence)
        return answer.took_ns

    def _oldest(self) -> int | None:
        """Return the number of the oldest call without an answer."""
        with self._sending:
            return next(iter(self._expected), None)

    def _check_alive(self) -> None:
        if self._ended is not None:
            raise self._error()

    def _error(self) -> EngineError:
        """Return why the worker is gone."""
        kind, text = self._ended or (EngineError, f"{self._name}: the worker was closed")
        return kind(text)

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except OSError:
            raise self._died() from None

    def _receive(self, what: str, watch: DeadlineWatch) -> bytes:
        while True:
            wait_s = watch.next_wait_s
            try:
                self._socket.settimeout(wait_s)
                message = self._socket.recv(LONGEST)
                break
            except TimeoutError:
                # the time asked for, not the time passed: this process may have been frozen or starved itself
                verdict = watch.verdict(wait_s, read_run_state(self.pid))
                if verdict != "wait":
                    raise self._give_up(what, watch, verdict == "starved") from None
            except OSError:
                raise self._died() from None
        if not message:
            raise self._died()
        return message

    def _give_up(self, what: str, watch: DeadlineWatch, starved: bool) -> WorkerHungError:
        """Kill the worker, which has not answered in time."""
        kind: type[WorkerHungError] = WorkerStarvedError if starved else WorkerHungError
        text = f"{self._name}: no answer within {watch.deadline_s:g} s of {what}; worker killed"
        if starved:
            text = (
                f"{self._name}: no answer to {what} in {watch.waited_s:.0f} s, of which it waited "
                f"{watch.deprived_s:.0f} s for a processor; worker killed; reduce the load of the machine"
            )
        self._ended = kind, text
        self._end()
        return kind(text)

    def _died(self) -> EngineError:
        if self._ended is not None:  # closed by this process
            return self._error()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_DEADLINE_S)
        text = f"{self._name}: the worker {_exit_text(self._process.poll())}{self._last_words()}"
        self._ended = WorkerDiedError, text
        self._end()
        return WorkerDiedError(text)

    def _last_words(self) -> str:
        """Return what the worker said last, in parentheses; or nothing."""
        if self._stderr.closed:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_TAIL))
        words = last_words(self._stderr.read().decode("utf-8", "replace"))
        return f" ({words})" if words else ""

    def _end(self) -> None:
        self._socket.close()  # the worker reads end of file and ends
        try:
            self._process.wait(0 if self._ended else END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()


@dataclass(frozen=True, slots=True)
class _SentCall:
    """A call that was sent to a worker."""

    engine: WorkerEngine
    number: int

    def wait(self) -> int:
        return self.engine._receive_answer(self.number)


def _exit_text(code: int | None) -> str:
    if code is None:
        return "closed its socket"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"died of {signal.Signals(-code).name}"
        return f"died of signal {-code}"
    return f"ended with exit code {code}"
