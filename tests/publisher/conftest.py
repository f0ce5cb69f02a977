"""A repository with one release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publisher.publisher_folder import Device, PublisherFolder, bundle


@pytest.fixture
def publisher(tmp_path: Path) -> PublisherFolder:
    publisher = PublisherFolder(tmp_path / "fleet")
    assert publisher.served
    assert publisher.add(bundle(tmp_path))
    return publisher


@pytest.fixture
def device(tmp_path: Path, publisher: PublisherFolder) -> Device:
    return Device(tmp_path / "device", publisher.root())
