"""What the tests of delivery share: a repository with one release, its server, and a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository
from tests.proxies import remove_proxies

MODEL = bytes(range(256)) * 400
"""Content of the artefact, 102400 bytes."""
QUICK = TransferLimits(connect_s=20, silence_s=20, slowest=1, over_s=60, first_s=0.001, longest_s=0.01)

NewClient = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    remove_proxies(monkeypatch)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One channel with one release of one artefact."""
    made = Repository(tmp_path / "repository")
    made.add({"model.onnx": MODEL})
    return made


@pytest.fixture
def server(repository: Repository) -> Iterator[Server]:
    """Serves the repository."""
    with Server(repository.folder) as running:
        yield running


@pytest.fixture
def new_client(repository: Repository, server: Server, tmp_path: Path) -> NewClient:
    """Make the client of the one device, as after a start of its agent."""

    def make(limits: TransferLimits = QUICK, **settings: object) -> Client:
        values = {"repository": server.url, "root": repository.trusted, **settings}
        return Client(
            DeliverySettings.model_validate(values), tmp_path / "device" / "metadata", limits=limits
        )

    return make
