"""Server of the fleet's page, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import uvicorn

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.page.fleet_application import FleetApplication
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.request_limit import RequestLimit
from edgeagent.settings.addresses import host_and_port
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.web.http_config import http_config

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 256
STOP_S = 5.0


class FleetServer:
    """Server of the page.

    Args:
        services: that page and API work with.
        limit: of requests by visitor; None is the default.

    Raises:
        ConfigurationError: without users the page would be reached from other machines, the address cannot be
            listened on, or certificate or key cannot be used.
    """

    def __init__(self, services: FleetServices, limit: RequestLimit | None = None) -> None:
        settings = services.settings
        if not settings.only_here and services.users.empty and services.oidc is None:
            raise ConfigurationError(
                f"with --bind {settings.listen} or --host-name other machines reach the page; there are no "
                "users; add one with `edgeagent fleet users add NAME --role admin`, or give an identity "
                "provider with --oidc, or use 127.0.0.1 alone"
            )
        application = FleetApplication(services, limit).application
        config = http_config(
            application, MOST_CONNECTIONS, settings.certificate, settings.key, "--certificate, --key"
        )
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            self._listening = socket.create_server((settings.host, settings.port), family=family)
        except OSError as error:
            raise ConfigurationError(
                f"--bind {settings.listen}: cannot be listened on ({error.strerror}); stop what uses "
                "the port, or give another one"
            ) from error
        self._server, self._stopping = uvicorn.Server(config), threading.Event()
        scheme = "http" if settings.certificate is None else "https"
        self.address = f"{scheme}://{host_and_port(settings.host, settings.port)}/"
        self._thread = GuardedThread(self._run, "fleet-page", vital=True)

    def start(self) -> None:
        """Start the thread; requests are answered from now on."""
        self._thread.start()
        logger.info("fleet page at %s", self.address)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Close the page; requests that are being answered have a second."""
        self._stopping.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._listening.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listening]))
        if not self._stopping.is_set():
            raise RuntimeError("the server of the fleet page ended by itself")
