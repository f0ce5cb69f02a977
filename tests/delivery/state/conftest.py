from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.folder_source import Published, publish
from tests.delivery.state.device import Device


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Published]:
    """Three releases."""
    above = tmp_path_factory.mktemp("published")
    return [publish(above / str(number), f"{number}.0.0", number) for number in (1, 2, 3)]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    device = Device(tmp_path / "state" / "delivery")
    yield device
    device.store.close()
