"""One served bundle for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgeagent.serve.detector_server import DetectorServer
    from tests.serve.frigate_client import FrigateClient


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that all tests share, so that the delegate is tried once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def server(state: Path) -> Iterator[DetectorServer]:
    """The quick bundle on a real engine in a worker, with both protocols."""
    from tests.serve.served import serve_bundle  # needs packages of an extra

    started = serve_bundle(state)
    yield started
    started.stop()


@pytest.fixture
def client(server: DetectorServer) -> Iterator[FrigateClient]:
    """A client of the server, after its handshake."""
    from tests.serve.frigate_client import FrigateClient

    with FrigateClient(server.addresses[0]) as opened:
        opened.handshake()
        yield opened
