"""What all tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.settings import installed


@pytest.fixture(scope="session")
def classifier_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a classifier, with its float model and pictures beside it."""
    from tests.classifier import colour_bundle

    return colour_bundle(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what agents remember out of the home directory, also those of other processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _own_log_levels() -> Iterator[None]:
    """Undo the log levels that a command sets, so that no test depends on those before it."""
    loggers = [logging.getLogger(name) for name in ("", "tuf", "urllib3", "amqtt", "transitions")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def _no_installed_service(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the service of this machine from commands without a configuration."""
    nowhere = tmp_path_factory.getbasetemp() / "no-service"
    monkeypatch.setattr(installed, "INSTALLED", nowhere / "edgeagent.yaml")
    monkeypatch.setattr(installed, "SERVICE_STATE", nowhere / "state")
