"""Socket of Frigate's detector protocol: many clients, none of which can stop the others.

::

    received --question about the model--> answered at once
       |-----malformed, not the bundle's input--> answer without objects, reason in the log
       |-----too many wait--> answer without objects
       |-----picture, the detector is idle--> detected in this thread, answered
       +-----picture, others wait--> InferenceQueue --> outbox --> answered
                                       (its thread)      (wakes this thread)

Every request that has the envelope of a REQ socket gets one answer, since such a socket waits for it. Frames
beyond the largest tensor are refused by libzmq, which closes that connection; the client connects again. An
answer to a client that is gone is dropped.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from functools import partial

import zmq

from edgeagent.bundle.manifest import Manifest
from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import escape_controls, shortened
from edgeagent.serve.endpoints import LocalEndpoint, TcpEndpoint
from edgeagent.serve.errors import BadRequestError, NotNowError
from edgeagent.serve.frigate_messages import (
    MODEL_IS_LOADED,
    MODEL_NOT_TAKEN,
    NO_OBJECTS,
    ModelQuestion,
    encode_rows,
    largest_tensor,
    read_message,
)
from edgeagent.serve.inference_queue import Answer, InferenceQueue
from edgeagent.serve.request_counts import RequestCounts
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

MOST_REQUESTS = 2
"""Requests of one client in libzmq; a REQ socket has one, and others are slowed down by TCP."""
MOST_ANSWERS = 256
"""Answers to one client in libzmq; what is above is dropped. More than are on their way, since a ROUTER
socket learns late what was sent: it looks at its commands once in about a millisecond or 100 received frames,
and is told of sent messages in steps of half this limit."""
MOST_AT_ONCE = 64
"""Messages received before answers are sent."""
PING_MS = 10_000
"""Pause between pings and longest wait for the reply, after which a client that fell silent is forgotten."""

LONGEST_REASON = 300


class ZmqServer:
    """Server of Frigate's protocol, in a thread of its own.

    Args:
        endpoint: address or local socket to listen on; a port of 0 takes a free one.
        manifest: of the bundle that is served.
        queue: takes the pictures.

    Attributes:
        address: that it listens on, as a client connects to it, such as ``tcp://127.0.0.1:5555``.
        counts: of its requests.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def __init__(
        self, endpoint: TcpEndpoint | LocalEndpoint, manifest: Manifest, queue: InferenceQueue
    ) -> None:
        self._manifest, self._queue = manifest, queue
        self._repeats = RepeatLimit()
        self._outbox: deque[tuple[list[bytes], int, Answer]] = deque()  # envelope, arrival (ns), answer
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.MAXMSGSIZE, largest_tensor(manifest.input)),
            (zmq.RCVHWM, MOST_REQUESTS),
            (zmq.SNDHWM, MOST_ANSWERS),
            (zmq.HEARTBEAT_IVL, PING_MS),
            (zmq.HEARTBEAT_TIMEOUT, PING_MS),
            (zmq.IPV6, isinstance(endpoint, TcpEndpoint) and ":" in endpoint.host),
            (zmq.LINGER, 0),
        ):
            self._socket.setsockopt(option, value)
        text = f"tcp://{endpoint}" if isinstance(endpoint, TcpEndpoint) else f"ipc://{endpoint.path}"
        try:
            self._socket.bind(text)
        except zmq.ZMQError as error:
            self._close()
            raise ConfigurationError(f"--bind {text}: cannot be listened on ({error.strerror})") from error
        self.address: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.counts = RequestCounts("Frigate")
        self._thread = GuardedThread(self._run, "zmq", vital=True)

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Close the socket and end the thread, waiting ``timeout_s`` at most."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._close()

    def _close(self) -> None:
        self._context.destroy(linger=0)
        os.close(self._wake)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        while not self._stopping:
            ready = dict(poller.poll())
            if self._wake in ready:
                os.eventfd_read(self._wake)
            while self._outbox:
                self._send_answer(*self._outbox.popleft())
            if self._socket in ready:
                self._receive_all()

    def _receive_all(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            arrived_ns = time.monotonic_ns()
            identity, *rest = frames
            if len(rest) < 2 or len(rest[0]):
                self._refuse("a message without the envelope of a REQ socket; it gets no answer")
                continue
            self._take([identity.bytes, b""], arrived_ns, rest[1:])

    def _take(self, envelope: list[bytes], arrived_ns: int, frames: list[zmq.Frame]) -> None:
        """Answer a request, or let it wait for its turn."""
        try:
            asked = read_message(frames, self._manifest.input)
            if isinstance(asked, ModelQuestion):
                self._send(envelope, self._answer_question(asked))
            elif (answer := self._queue.now(asked)) is not None:
                self._send_answer(envelope, arrived_ns, answer)
            else:
                self._queue.submit(asked, partial(self._put_answer, envelope, arrived_ns))
        except BadRequestError as error:
            self._refuse(f"{error}; answered without objects")
            self._send(envelope, NO_OBJECTS)
        except NotNowError as error:
            self._send_answer(envelope, arrived_ns, error)

    def _answer_question(self, asked: ModelQuestion) -> bytes:
        self.counts.record("handshakes")
        served = self._manifest.name
        name = escape_controls(shortened(asked.name, LONGEST_REASON))
        if asked.sent:
            self._tell(f"the model {name!r} that a client sent was not taken: {served} is served")
            return MODEL_NOT_TAKEN
        if asked.name != served:
            self._tell(f"a client asked for the model {name!r} and gets {served}; see --frigate-config")
        return MODEL_IS_LOADED

    def _put_answer(self, envelope: list[bytes], arrived_ns: int, answer: Answer) -> None:
        """Have an answer sent; called by the thread of the queue."""
        self._outbox.append((envelope, arrived_ns, answer))
        if not self._stopping:
            os.eventfd_write(self._wake, 1)

    def _send_answer(self, envelope: list[bytes], arrived_ns: int, answer: Answer) -> None:
        if isinstance(answer, Exception):
            self.counts.record("not now")
            self._tell(f"answered without objects: {answer}")
            self._send(envelope, NO_OBJECTS)
            return
        self._send(envelope, encode_rows(answer, self._manifest.input))
        self.counts.record("answered", time.monotonic_ns() - arrived_ns)

    def _send(self, envelope: list[bytes], answer: bytes) -> None:
        try:
            self._socket.send_multipart([*envelope, answer], zmq.NOBLOCK)
        except zmq.ZMQError as error:  # a client that is gone is no error, other things may be
            logger.debug("an answer could not be sent: %s", error)

    def _refuse(self, reason: str) -> None:
        self.counts.record("refused")
        self._tell(escape_controls(shortened(reason, LONGEST_REASON)))

    def _tell(self, text: str) -> None:
        level = logging.WARNING if self._repeats.allows(text, time.monotonic()) else logging.DEBUG
        logger.log(level, "Frigate: %s", text)
