"""Live changes saved into the configuration file: comments and order stay, or nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import included_configuration
from edgeagent.settings.file import load_settings
from edgeagent.settings.live.changes import new_changes
from edgeagent.settings.live.saving import edited, save_changes

FILE = """\
# Board at the gate
device: gate  # its name

cameras:
  # the first one
  - name: yard
    source: "0"
    zones:
      - {name: all, polygon: [[0, 0], [1, 0], [1, 1]]}  # everything
  - name: dock
    source: rtsp://10.0.0.7/live

model:
  # found by trial
  score_threshold: 0.4
telemetry: {detections: off}
"""
ZONE = {"name": "gate", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}


def saved(file: Path, values: dict[str, Any]) -> str:
    save_changes(file, new_changes(values, "test", "now"))
    return file.read_text(encoding="utf-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "edgeagent.yaml"
    file.write_text(FILE, encoding="utf-8")
    file.chmod(0o640)
    return file


def test_one_value_changes_one_line(file: Path) -> None:
    assert saved(file, {"model.score_threshold": 0.55}) == FILE.replace("0.4", "0.55")
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_lists_sections_and_cameras(file: Path) -> None:
    text = saved(
        file,
        {
            "cameras.yard.zones": [ZONE],
            "cameras.gate": {"source": "1", "weight": 2.0},
            "cameras.dock": None,
            "events.objects": {"labels": ["yes", "person"]},
            "telemetry.interval": "5s",
        },
    )
    settings = load_settings(file)
    assert [camera.name for camera in settings.cameras] == ["yard", "gate"]
    assert settings.cameras[0].zones[0].name == "gate"
    assert settings.events.objects.labels == ("yes", "person")
    assert (settings.telemetry.detections, settings.telemetry.interval) == ("off", 5.0)
    for comment in ("# Board at the gate", "# its name", "# the first one", "# found by trial"):
        assert comment in text


def test_corners_are_on_one_line(file: Path) -> None:
    text = saved(file, {"cameras.yard.zones": [ZONE], "cameras.yard.regions": [[0.3, 0.2, 0.7, 0.5]]})
    assert "polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]\n" in text
    assert "regions: [[0.3, 0.2, 0.7, 0.5]]\n" in text


def test_the_documented_configuration_keeps_its_comments(tmp_path: Path) -> None:
    content = included_configuration().read_bytes()
    changed = edited(content, new_changes({"model.score_threshold": 0.55}, "test", "now"), "file")
    before, after = content.decode().splitlines(), changed.decode().splitlines()
    comments = [line.strip() for line in before if line.strip().startswith("#")]
    assert [line.strip() for line in after if line.strip().startswith("#")] == comments


def test_a_value_that_is_invalid_changes_nothing(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"model\.score_threshold: expected"):
        saved(file, {"model.score_threshold": 2})
    assert file.read_text(encoding="utf-8") == FILE


def test_a_file_that_cannot_be_replaced_stays(file: Path) -> None:
    (file.parent / "edgeagent.yaml.new").mkdir()
    with pytest.raises(ConfigurationError, match="sudo edgeagent live save"):
        saved(file, {"model.score_threshold": 0.5})
    assert file.read_text(encoding="utf-8") == FILE


def test_a_link_stays_a_link(file: Path) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    saved(link, {"model.score_threshold": 0.5})
    assert link.is_symlink()
    assert load_settings(file).model.score_threshold == 0.5


def test_nothing_to_save(file: Path) -> None:
    save_changes(file.with_name("absent.yaml"), ())
    with pytest.raises(ConfigurationError, match="No such file"):
        saved(file.with_name("absent.yaml"), {"model.score_threshold": 0.5})
