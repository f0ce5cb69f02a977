"""config/edgeagent.yaml holds every key with its default: it and the settings must say the same."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from edgeagent.settings import (
    CameraSettings,
    LibrarySettings,
    MqttSettings,
    Settings,
    TlsSettings,
    parse_duration,
)
from edgeagent.settings_file import load_settings

FILE = Path(__file__).parents[1] / "config" / "edgeagent.yaml"
EXAMPLE = CameraSettings(name="camera", source="/dev/video0")
OPTIONAL_KEY = re.compile(r"^( *)#([a-z_]+:.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def complete() -> dict[str, Any]:
    """The file's keys, with those that are commented out."""
    data: dict[str, Any] = yaml.safe_load(OPTIONAL_KEY.sub(r"\1\2", FILE.read_text(encoding="utf-8")))
    return data


def default_of(section: BaseModel, name: str) -> Any:
    """Return how the default of a key is written; durations are compared as seconds."""
    value = getattr(section, name)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def assert_same(written: dict[str, Any], section: BaseModel, place: str) -> None:
    assert list(written) == list(type(section).model_fields), f"keys of {place or 'the file'}"
    for name, value in written.items():
        default = default_of(section, name)
        where = f"{place}.{name}"
        if name == "tls":
            assert default is None, where
            assert_same(value, TlsSettings(), where)
        elif name == "library":
            assert default is None, where
            LibrarySettings.model_validate(value)
        elif isinstance(default, BaseModel):
            assert_same(value, default, where)
        elif isinstance(default, float) and isinstance(value, str):
            assert parse_duration(value) == default, where
        elif name not in ("device", "cameras"):
            assert (value, type(value)) == (default, type(default)), where


def test_every_key_is_there_with_its_default(complete: dict[str, Any]) -> None:
    assert_same(complete, Settings(cameras=(EXAMPLE,)), "")
    (camera,) = complete["cameras"]
    assert_same(camera, EXAMPLE, "cameras[0]")


def test_the_file_says_nothing_but_the_defaults() -> None:
    assert load_settings(FILE) == Settings(cameras=(EXAMPLE,))


def test_the_optional_keys_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "edgeagent.yaml"
    path.write_text(OPTIONAL_KEY.sub(r"\1\2", FILE.read_text(encoding="utf-8")), encoding="utf-8")
    loaded = load_settings(path)
    assert loaded.device == "front-gate"
    assert loaded.mqtt == MqttSettings(tls=TlsSettings())


def test_every_key_is_explained() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    comment = re.compile(r"\s*# \S")
    key = re.compile(r"\s*(- )?#?[a-z_]+:")
    sections = {"model:", "mqtt:", "telemetry:", "worker:"}
    together = {"password_file:", "height:", "fps:", "read_timeout:", "retry_longest:", "#key:"}
    for before, line in pairwise(lines):
        if key.match(line) and not line.endswith(tuple(sections)):
            assert comment.match(before) or line.split()[0] in together, line
