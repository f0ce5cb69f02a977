"""A hawkBit server, and a device that is connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.delivery.hawkbit.conversation import Hawkbit
from tests.delivery.hawkbit.driven import STABLE, ReadyRepository, Walker, connect
from tests.delivery.hawkbit.server import TOKEN, HawkbitServer


@pytest.fixture
def server() -> Iterator[HawkbitServer]:
    with HawkbitServer() as server:
        yield server


@pytest.fixture
def walker() -> Walker:
    return Walker(ReadyRepository(STABLE))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.fixture
def hawkbit(server: HawkbitServer, walker: Walker, token: Path) -> Hawkbit:
    return connect(server.url, walker, token)
