"""Embedded broker of the demo: amqtt on a free loopback port (MQTT 3.1.1)."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from edgeagent.errors import EdgeagentError

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class EmbeddedBroker:
    """Context manager that runs a broker in a thread.

    Attributes:
        port: TCP port on the loopback interface.

    Raises:
        EdgeagentError: on entry, when the broker does not start.
    """

    def __init__(self) -> None:
        self.port = _free_port()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def __enter__(self) -> EmbeddedBroker:
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S) or self._failure is not None:
            raise EdgeagentError(f"the demo's broker did not start: {self._failure or 'no answer'}")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(STOP_TIMEOUT_S)
        except TimeoutError:
            logger.warning(
                "the demo's broker did not stop within %g s; it ends with the program", STOP_TIMEOUT_S
            )
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        try:
            self._broker = Broker(config, loop=self._loop)
            self._loop.run_until_complete(self._broker.start())
        except (BrokerError, OSError) as error:  # raised in the waiting thread
            self._failure = error
            self._started.set()
            return
        self._started.set()
        self._loop.run_forever()


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port
