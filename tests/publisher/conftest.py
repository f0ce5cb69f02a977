"""A repository with one release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publisher.desk import Desk, Device, bundle


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "fleet")
    assert desk.served
    assert desk.add(bundle(tmp_path))
    return desk


@pytest.fixture
def device(tmp_path: Path, desk: Desk) -> Device:
    return Device(tmp_path / "device", desk.root())
