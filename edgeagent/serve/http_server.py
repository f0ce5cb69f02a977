"""HTTP server of an ASGI application: uvicorn in a thread of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from edgeagent.errors import ConfigurationError
from edgeagent.serve.endpoints import TcpEndpoint
from edgeagent.settings.addresses import host_and_port
from edgeagent.timing.guarded_thread import GuardedThread

MOST_CONNECTIONS = 64
"""Connections beyond these are answered with 503."""
IDLE_S = 30
END_S = 1


class HttpServer:
    """Server of an application.

    Args:
        endpoint: address to listen on; a port of 0 takes a free one.
        application: ASGI application.

    Attributes:
        address: that it listens on, such as ``http://127.0.0.1:8000``.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def __init__(self, endpoint: TcpEndpoint, application: Callable[..., Any]) -> None:
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        try:
            self._socket = socket.create_server((endpoint.host, endpoint.port), family=family)
        except OSError as error:
            raise ConfigurationError(
                f"--http {endpoint}: cannot be listened on ({error.strerror})"
            ) from error
        self.address = f"http://{host_and_port(endpoint.host, self._socket.getsockname()[1])}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=END_S,
            )
        )
        self._thread = GuardedThread(self._run, "http", vital=True)

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Close the port; requests that are being answered are abandoned after :data:`END_S` seconds."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
