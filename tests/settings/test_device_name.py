from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.settings.device_name import passing_device_name
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings

CAMERAS = (CameraSettings(name="front", source="0"),)


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_a_random_name_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "0f3c9ad81b2e")
    settings = Settings(cameras=CAMERAS)
    assert passing_device_name(settings, tmp_path) is None
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert "0f3c9ad81b2e" in str(passing_device_name(settings, tmp_path))
    assert passing_device_name(Settings(cameras=CAMERAS, device="0f3c9ad81b2e"), tmp_path) is None
    monkeypatch.setattr("socket.gethostname", lambda: "gate-7")
    assert passing_device_name(Settings(cameras=CAMERAS), tmp_path) is None
