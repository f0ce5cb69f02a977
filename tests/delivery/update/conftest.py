from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.delivery.update import updater as updater_module
from tests.delivery.folder_source import FolderSource, Published, publish
from tests.delivery.update.device import Device


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Published]:
    """Three releases."""
    above = tmp_path_factory.mktemp("published")
    return [publish(above / str(number), f"{number}.0.0", number) for number in (1, 2, 3)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_FIRST_S", "RETRY_LONGEST_S", "ASK_AGAIN_S"):
        monkeypatch.setattr(updater_module, name, 0.01)


@pytest.fixture
def device(tmp_path: Path, three: list[Published]) -> Iterator[Device]:
    """A device to which the first of three releases is offered; nothing runs yet."""
    device = Device(tmp_path / "delivery", FolderSource(three[0]))
    yield device
    if device.updater._thread.is_alive():
        device.stop()
