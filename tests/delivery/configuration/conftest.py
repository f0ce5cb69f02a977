from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.delivery.configuration import deployment_steps, updater
from tests.delivery.configuration.board import ConfiguredBoard
from tests.delivery.signed_repository import Repository


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_FIRST_S", "RETRY_LONGEST_S"):
        monkeypatch.setattr(updater, name, 0.01)
    for name in ("ASK_AGAIN_S", "LOOK_S"):
        monkeypatch.setattr(deployment_steps, name, 0.01)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def board(tmp_path: Path, repository: Repository) -> Iterator[ConfiguredBoard]:
    """A board that follows the repository; it is not started."""
    board = ConfiguredBoard(tmp_path / "board", repository.folder, repository.trusted)
    yield board
    if hasattr(board, "updater"):
        board.stop()
