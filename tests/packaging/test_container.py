"""Container and add-on files: what can be checked without an engine that runs them."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import yaml

from edgeagent.settings.file import load_settings
from edgeagent.version import __version__
from tests.packaging.building import PACKAGING, ROOT

CONTAINER, ADD_ON = PACKAGING / "container", PACKAGING / "home-assistant"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_compose_has_one_unprivileged_service() -> None:
    compose = read(CONTAINER / "compose.yaml")
    (service,) = compose["services"].values()
    assert (CONTAINER / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "privileged" not in service
    named = {volume.split(":")[0] for volume in service["volumes"] if not volume.startswith(".")}
    assert named == set(compose["volumes"])


def test_the_recipe_copies_what_exists_and_runs_without_root() -> None:
    text = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
    for architecture in ("amd64", "arm64"):
        assert (PACKAGING / "locks" / f"python3.11-{architecture}.txt").is_file()
    for source in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists(), source
    assert "\nUSER edgeagent\n" in text
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").split()
    assert not {"packaging", "config", "models", "edgeagent"} & set(ignored)
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").split() == ignored


def test_the_add_on_has_what_the_supervisor_requires() -> None:
    config = read(ADD_ON / "config.yaml")
    assert {"name", "version", "slug", "description", "arch"} <= set(config)
    assert config["version"] == __version__
    assert set(config["options"]) == set(config["schema"])
    assert set(config["arch"]) == {"amd64", "aarch64"}


def test_the_program_reads_the_configuration_of_the_add_on(tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location("add_on_run", ADD_ON / "run.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    options = read(ADD_ON / "config.yaml")["options"]
    broker = {"host": "core-mosquitto", "port": 1883, "username": "addons", "password": "p", "ssl": False}
    path = tmp_path / "edgeagent.yaml"
    path.write_text(json.dumps(module.configuration(options, broker), indent=2), encoding="utf-8")
    settings = load_settings(path)
    assert settings.mqtt.host == "core-mosquitto"
    assert settings.home_assistant is not None
