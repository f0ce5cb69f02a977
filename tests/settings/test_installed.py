"""Configuration and state of the installed service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings import installed
from edgeagent.settings.installed import (
    configuration_file,
    read_configuration,
    require_configuration_file,
)
from edgeagent.settings.state import default_state

CAMERAS = "cameras:\n- name: door\n  source: /dev/video0\n"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration of an installed service, whose state folder exists."""
    file, state = tmp_path / "etc/edgeagent.yaml", tmp_path / "var/lib/edgeagent"
    file.parent.mkdir()
    state.mkdir(parents=True)
    file.write_text(CAMERAS, encoding="utf-8")
    monkeypatch.setattr(installed, "INSTALLED", file)
    monkeypatch.setattr(installed, "SERVICE_STATE", state)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return file


def test_the_installed_configuration_is_the_default(service: Path) -> None:
    assert configuration_file(None) == service
    assert require_configuration_file(None) == service
    read = read_configuration(None, "edgeagent status")
    assert (read.file, read.state) == (service, installed.SERVICE_STATE)
    assert read.settings is not None
    assert read.settings.cameras[0].name == "door"


def test_it_is_known_by_another_path_too(service: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(service)
    assert read_configuration(link, "edgeagent status").state == installed.SERVICE_STATE


def test_the_configured_state_counts_first(service: Path) -> None:
    service.write_text(f"state: /srv/state\n{CAMERAS}", encoding="utf-8")
    assert read_configuration(None, "edgeagent status").state == Path("/srv/state")


def test_a_unit_has_its_own_state(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/other")
    assert read_configuration(None, "edgeagent status").state == Path("/var/lib/other")


def test_another_configuration_has_the_state_of_the_user(service: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CAMERAS, encoding="utf-8")
    assert configuration_file(other) == other
    assert read_configuration(other, "edgeagent status").state == default_state()


def test_a_service_without_the_installed_configuration_is_found_by_its_state(service: Path) -> None:
    service.unlink()
    read = read_configuration(None, "edgeagent status")
    assert (read.file, read.settings, read.state) == (None, None, installed.SERVICE_STATE)


def test_without_a_service(service: Path) -> None:
    service.unlink()
    installed.SERVICE_STATE.rmdir()
    assert configuration_file(None) is None
    assert read_configuration(None, "edgeagent status").state == default_state()
    with pytest.raises(ConfigurationError, match=r"no configuration: give one with -c FILE; there is no"):
        require_configuration_file(None)


def test_a_configuration_of_another_user(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeagent.settings.installed.os.access", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"may not read it; type: sudo edgeagent status$"):
        read_configuration(None, "edgeagent status")


def test_an_own_configuration_beside_a_folder_of_another_user(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CAMERAS, encoding="utf-8")
    real = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path == service:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert read_configuration(other, "edgeagent status").state == default_state()


def test_a_folder_of_another_user(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the configuration may be closed, too."""

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr("edgeagent.settings.installed.os.access", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"may not read it; type: sudo edgeagent status$"):
        read_configuration(None, "edgeagent status")


def test_a_file_that_is_not_there_is_named(service: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_configuration(tmp_path / "none.yaml", "edgeagent status")
