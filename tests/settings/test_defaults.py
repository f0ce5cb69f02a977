"""config/edgeagent.yaml lists every key with its default, equal to the schema."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from edgeagent.settings.file import load_settings
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.clips import ClipSettings
from edgeagent.settings.sections.delivery import AgentUpdateSettings, DeliverySettings, HawkbitSettings
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.settings.sections.frigate import FrigateSettings
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.settings.sections.model import LibrarySettings
from edgeagent.settings.sections.motion import MotionSettings
from edgeagent.settings.sections.mqtt import MqttSettings, TlsSettings
from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.settings.sections.regions import TileSettings
from edgeagent.settings.sections.snapshots import SnapshotSettings
from edgeagent.settings.sections.sparkplug import SparkplugSettings
from edgeagent.settings.sections.web import WebSettings
from edgeagent.settings.types import SettingsSection, parse_duration, parse_size

FILE = Path(__file__).parents[2] / "config" / "edgeagent.yaml"
EXAMPLE = CameraSettings(name="camera", source="/dev/video0")
OPTIONAL_KEY = re.compile(r"^( *)#([a-z_0-9]+:.*)$", re.MULTILINE)
OPTIONAL: dict[str, SettingsSection] = {
    "tls": TlsSettings(),
    "home_assistant": HomeAssistantSettings(),
    "snapshots": SnapshotSettings(),
    "clips": ClipSettings(),
    "hard_frames": HardFrameSettings(),
    "upload": FrameUploadSettings(url="https://fleet.example.org/upload"),
    "prometheus": PrometheusSettings(),
    "otlp": OtlpSettings(url="https://collector.example.org:4318/v1/metrics"),
    "web": WebSettings(),
    "sparkplug": SparkplugSettings(),
    "frigate": FrigateSettings(),
    "delivery": DeliverySettings(
        repository="https://models.example.org", root=Path("/etc/edgeagent/root.json")
    ),
    "hawkbit": HawkbitSettings(
        url="https://hawkbit.example.org", token_file=Path("/etc/edgeagent/hawkbit-token")
    ),
    "agent": AgentUpdateSettings(),
    "motion": MotionSettings(),
    "tiles": TileSettings(),
}


@pytest.fixture(scope="module")
def complete() -> dict[str, Any]:
    """Return the keys of the file, including commented ones."""
    data: dict[str, Any] = yaml.safe_load(OPTIONAL_KEY.sub(r"\1\2", FILE.read_text(encoding="utf-8")))
    return data


def default_of(section: BaseModel, name: str) -> Any:
    """Return the default of a key as written in the file; durations are compared as seconds."""
    value = getattr(section, name)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def assert_same(written: dict[str, Any], section: BaseModel, place: str) -> None:
    assert list(written) == list(type(section).model_fields), f"keys of {place or 'the file'}"
    for name, value in written.items():
        default = default_of(section, name)
        where = f"{place}.{name}"
        if name in OPTIONAL:
            assert default is None, where
            assert_same(value, OPTIONAL[name], where)
        elif name == "library":
            assert default is None, where
            LibrarySettings.model_validate(value)
        elif isinstance(default, BaseModel):
            assert_same(value, default, where)
        elif isinstance(default, float) and isinstance(value, str):
            assert parse_duration(value) == default, where
        elif isinstance(default, int) and isinstance(value, str):
            assert parse_size(value) == default, where
        elif name not in ("device", "cameras"):
            assert (value, type(value)) == (default, type(default)), where


def test_every_key_is_there_with_its_default(complete: dict[str, Any]) -> None:
    assert_same(complete, Settings(cameras=(EXAMPLE,)), "")
    (camera,) = complete["cameras"]
    assert_same(camera, EXAMPLE, "cameras[0]")


def test_the_file_says_nothing_but_the_defaults() -> None:
    assert load_settings(FILE) == load_settings(str(FILE)) == Settings(cameras=(EXAMPLE,))


def test_the_optional_keys_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "edgeagent.yaml"
    text = OPTIONAL_KEY.sub(r"\1\2", FILE.read_text(encoding="utf-8"))
    path.write_text(text.replace("\n  host: null", "\n  host: broker.local"), encoding="utf-8")
    loaded = load_settings(path)
    assert loaded.device == "front-gate"
    assert loaded.mqtt == MqttSettings(host="broker.local", tls=TlsSettings())
    for name in ("home_assistant", "prometheus", "otlp", "web", "sparkplug", "frigate"):
        assert getattr(loaded, name) == OPTIONAL[name]
    assert loaded.delivery == OPTIONAL["delivery"].model_copy(
        update={name: OPTIONAL[name] for name in ("hawkbit", "agent")}
    )


def test_every_key_is_explained() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    comment = re.compile(r"\s*# \S")
    key = re.compile(r"\s*(- )?#?[a-z_]+:")
    sections = {
        "model:",
        "mqtt:",
        "telemetry:",
        "objects:",
        "power:",
        "adaptive:",
        "accuracy:",
        "worker:",
        "spool:",
        "home_assistant:",
        "prometheus:",
        "sparkplug:",
        "frigate:",
        "gate:",
        "probation:",
        "configuration:",
        "delivery:",
        "hawkbit:",
    }
    together = {
        "password_file:",
        "height:",
        "fps:",
        "read_timeout:",
        "retry_longest:",
        "#key:",
        "full_w:",
        "cool_c:",
        "disappear_after:",
        "enough_percent:",
        "least_fps:",
        "hold_rise:",
        "#node:",
        "#jitter:",
        "#keep_time:",
        "#frames:",
        "#score_change:",
        "#agreement:",
        "#controller:",
        "#gateway:",
        "#steady:",
    }
    for before, line in pairwise(lines):
        if key.match(line) and not line.endswith(tuple(sections)):
            assert comment.match(before) or line.split()[0] in together, line
