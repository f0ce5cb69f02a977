"""An engine in a process of its own: whatever its delegate does, the agent goes on.

::

    WorkerEngine (this process)  <-- socket: who is next -->  worker_process (another)
               \\____________ frames and outputs in shared memory ____________/

Every call has a deadline. A worker that dies or lets one pass is over, and says so as an error of its own
kind; what serves instead is the business of :mod:`edgeagent.detection.serving`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.engines.engine import Array, Buffers, Call, Done, LoadedEngine, check_buffers
from edgeagent.errors import EngineError
from edgeagent.version import __version__
from edgeagent.worker.protocol import (
    CALL,
    FAILED,
    LONGEST,
    PING,
    CallMessage,
    LoadReply,
    LoadRequest,
)
from edgeagent.worker.shared_buffers import SharedBuffers

SLOTS = 8
LOAD_DEADLINE_S = 120.0
CALL_DEADLINE_S = 2.0
END_DEADLINE_S = 1.0
TAIL = 2000  # bytes of a dead worker's last words


class WorkerDiedError(EngineError):
    """The worker process ended by itself: a signal, or an error that it could not tell."""


class WorkerHungError(EngineError):
    """The worker did not answer in time, and was killed."""


class WorkerEngine(LoadedEngine):
    """An artefact on a delegate, in a worker process.

    Buffers of :meth:`allocate` lie in shared memory and are used in place; others are copied. The kernel ends
    the worker with the thread that made it, so make it in one that stays.

    Args:
        order: what the worker is to load, and how.
        deadline_s: seconds that a call may take.
        load_deadline_s: seconds that loading may take.
        slots: sets of buffers that :meth:`allocate` can give.

    Raises:
        EngineError: the artefact or delegate cannot be loaded.
        WorkerDiedError, WorkerHungError: the worker crashed or hung while it loaded.
    """

    def __init__(
        self,
        order: LoadRequest,
        deadline_s: float = CALL_DEADLINE_S,
        load_deadline_s: float = LOAD_DEADLINE_S,
        slots: int = SLOTS,
    ) -> None:
        self.order, self._deadline_s = order, deadline_s
        self._name = f"{order.path}: {order.delegate.name}"
        self._sending, self._receiving, self._spare = threading.Lock(), threading.Lock(), threading.Lock()
        self._expected: set[int] = set()
        self._answers: dict[int, CallMessage] = {}
        self._number, self._given = 0, 0
        self._over: EngineError | None = None
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the worker
        self._socket, self._process = self._start()
        try:
            self._socket.settimeout(load_deadline_s)
            self._open(order)
            # the last slot is for buffers of others
            self._slots = SharedBuffers(self._inputs, self._outputs, slots + 1)
            try:
                socket.send_fds(self._socket, [str(slots + 1).encode()], [self._slots.descriptor])
            except OSError:
                raise self._died() from None
            finally:
                self._slots.forget_descriptor()
            self._socket.settimeout(deadline_s)
        except BaseException:
            self._end()
            raise
        self._numbers = {id(self._slots[n].outputs[0]): n for n in range(slots)}

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def allocate(self) -> Buffers:
        """Return buffers in shared memory while there are some, then ones of this process.

        Slots go round: a set that is asked for after all were given is one of this process's own memory.
        """
        with self._sending:
            number, self._given = self._given, self._given + 1
        return self._slots[number] if number < len(self._slots) - 1 else super().allocate()

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Run once; see :class:`edgeagent.engines.engine.Engine`.

        Raises:
            EngineError: the engine failed; the worker is as before.
            WorkerDiedError, WorkerHungError: the worker is gone.
        """
        self.begin(inputs, outputs).wait()

    def begin(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Call:
        """Send a call, which the worker runs when it has done those before it.

        Raises:
            WorkerDiedError, WorkerHungError: the worker is gone.
        """
        number = self._numbers.get(id(outputs[0]))
        if number is not None and self._is_slot(number, inputs, outputs):
            return _Sent(self, self._ask(CALL, number))
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        spare = len(self._slots) - 1
        with self._spare:
            for given, shared in zip(inputs, self._slots[spare].inputs, strict=True):
                np.copyto(shared, given)
            took = self._answer(self._ask(CALL, spare))
            for given, shared in zip(outputs, self._slots[spare].outputs, strict=True):
                np.copyto(given, shared)
        return Done(took)

    def ping(self) -> None:
        """Make sure that an idle worker still answers; a busy one is watched by the deadline of its call.

        Raises:
            WorkerDiedError, WorkerHungError: it does not.
        """
        self._check_alive()
        if not self._expected:
            self._answer(self._ask(PING, 0))

    def close(self) -> None:
        """End the worker; it cannot be used afterwards. Calls that were begun fail."""
        with self._sending:
            self._over = self._over or EngineError(f"{self._name}: the worker was closed")
        with contextlib.suppress(OSError):  # so that nobody waits for an answer any more
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._receiving, self._sending:
            self._end()

    def _is_slot(self, number: int, inputs: Sequence[Array], outputs: Sequence[Array]) -> bool:
        slot = self._slots[number]
        given = zip((*inputs, *outputs), (*slot.inputs, *slot.outputs), strict=True)
        return all(one is other for one, other in given)

    def _start(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = "edgeagent.worker.process"
        command = [sys.executable, "-m", module, str(theirs.fileno()), str(os.getpid())]
        with theirs:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
            )
        return ours, process

    def _open(self, order: LoadRequest) -> None:
        self._send(order.encode())
        opened = LoadReply.decode(self._receive("loading"))
        if opened.version != __version__:
            raise EngineError(
                f"{self._name}: this agent is version {__version__}, the installed one "
                f"{opened.version}; restart the agent"
            )
        if opened.facts is None:
            raise EngineError(opened.error or f"{self._name}: the worker gave no reason")
        self._inputs, self._outputs, self._facts = opened.inputs, opened.outputs, opened.facts
        self.offline = opened.offline

    def _ask(self, kind: bytes, slot: int) -> int:
        """Send a call and return its number."""
        with self._sending:
            self._check_alive()
            self._number = (self._number + 1) % 2**32
            self._expected.add(self._number)
            self._send(CallMessage(kind, self._number, slot).encode())
            return self._number

    def _answer(self, number: int) -> int:
        """Wait for the answer to a call, and return the nanoseconds that it took.

        Whoever waits receives for all; the deadline is that of one answer, as the worker runs one call at a
        time.
        """
        with self._receiving:
            while number not in self._answers:
                self._check_alive()
                about = CallMessage.decode(self._receive("a call"))
                self._answers[about.number] = about
                self._expected.discard(about.number)
            answer = self._answers.pop(number)
        if answer.kind == FAILED:
            raise EngineError(answer.sentence)
        return answer.took_ns

    def _check_alive(self) -> None:
        if self._over is not None:
            raise type(self._over)(str(self._over))

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except OSError:
            raise self._died() from None

    def _receive(self, what: str) -> bytes:
        try:
            message = self._socket.recv(LONGEST)
        except TimeoutError:
            waited = self._socket.gettimeout()
            self._over = WorkerHungError(
                f"{self._name}: no answer within {waited:g} s of {what}; worker killed"
            )
            self._end()
            raise self._over from None
        except OSError:
            raise self._died() from None
        if not message:
            raise self._died()
        return message

    def _died(self) -> WorkerDiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_DEADLINE_S)
        code = self._process.poll()
        self._over = WorkerDiedError(f"{self._name}: the worker {_how(code)}{self._last_words()}")
        self._end()
        return self._over

    def _last_words(self) -> str:
        """Return the end of what the worker and its libraries have written, in one line."""
        if self._words.closed:
            return ""
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - TAIL))
        lines = self._words.read().decode("utf-8", "replace").splitlines()
        told = [line.strip() for line in lines if line.strip() and not line.startswith((" ", "INFO:"))]
        return f" ({told[-1]})" if told else ""

    def _end(self) -> None:
        self._socket.close()  # the worker reads the end of file, and ends
        try:
            self._process.wait(0 if self._over else END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A call on its way through a worker."""

    engine: WorkerEngine
    number: int

    def wait(self) -> int:
        return self.engine._answer(self.number)


def _how(code: int | None) -> str:
    if code is None:
        return "closed its socket"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"died of {signal.Signals(-code).name}"
        return f"died of signal {-code}"
    return f"ended with exit code {code}"
