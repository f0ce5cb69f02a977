"""Configuration of uvicorn that the pages share: bounded requests, no log of what clients send."""

from __future__ import annotations

import ssl
from pathlib import Path

import uvicorn

from edgeagent.errors import ConfigurationError
from edgeagent.web.access import Asgi
from edgeagent.web.protocol import LONGEST_HEADERS, BoundedProtocol

IDLE_S, END_S = 20, 1


def http_config(
    application: Asgi, connections: int, certificate: Path | None, key: Path | None, what: str = "web"
) -> uvicorn.Config:
    """Return the configuration of a server.

    Args:
        application: that answers.
        connections: most at the same time; more are answered with 503.
        certificate, key: files for TLS; None serves without.
        what: part of the configuration that they are given in.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    try:
        config = uvicorn.Config(
            application,
            loop="asyncio",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what a client sends is no matter for the log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=LONGEST_HEADERS,
            limit_concurrency=connections,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=END_S,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{what}: certificate or key cannot be used ({error})") from error
    return config
