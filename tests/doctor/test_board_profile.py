"""The installed board profiles, and what their reader refuses."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from edgeagent.camera.sources import source_kind
from edgeagent.doctor.board_profile import (
    ACCELERATORS,
    BoardProfile,
    find_profile,
    load_accelerators,
    load_profiles,
)
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import board_folder

NAMES = [path.stem for path in sorted(board_folder().glob("*.yaml")) if path.name != ACCELERATORS]


def test_all_profiles_are_read() -> None:
    profiles = load_profiles()
    assert list(profiles) == NAMES
    assert {"raspberry-pi-4", "raspberry-pi-5", "jetson-orin-nano", "coral-dev-board", "nxp-imx93"} <= set(
        NAMES
    )
    assert set(load_accelerators()) == {"coral-usb", "coral-pcie", "hailo"}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_profile_names_exists(name: str) -> None:
    profile = find_profile(name)
    assert set(profile.accelerators) <= set(load_accelerators())
    for camera in profile.cameras:
        assert source_kind(camera.source) in ("device", "gstreamer", "picamera2")
    if profile.power.sensor != "none":
        importlib.import_module(f"edgeagent.sensors.{profile.power.sensor}")
    assert profile.delegates[-1] == "onnxruntime-cpu"  # the last resort, as in the catalogue


@pytest.mark.parametrize("name", NAMES)
def test_a_system_with_an_old_python_says_what_to_do(name: str) -> None:
    for system in find_profile(name).systems:
        old = system.python is not None and int(system.python.partition(".")[2]) < 10
        assert old == (system.advice is not None), system.name


def test_no_two_profiles_claim_one_string() -> None:
    patterns = [pattern for profile in load_profiles().values() for pattern in profile.compatible]
    assert len(set(patterns)) == len(patterns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"delegates": ["warp-drive"]}, "no delegate or engine is called 'warp-drive'"),
        ({"delegates": []}, "at least 1 item"),
        ({"power": {"sensor": "oracle", "covers": "all"}}, "Input should be"),
        ({"systems": [{"name": "JetPack 5", "python": "2.7"}]}, "should match pattern"),
        ({"sources": []}, "at least 1 item"),
    ],
    ids=str,
)
def test_mistakes(change: dict[str, object], message: str) -> None:
    content = yaml.safe_load((board_folder() / "raspberry-pi-5.yaml").read_text(encoding="utf-8"))
    with pytest.raises(ValidationError, match=message):
        BoardProfile.model_validate({**content, **change})


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigurationError, match=r"no board profile is called 'toaster'; choose from"):
        find_profile("toaster")


def test_the_name_is_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (board_folder() / "raspberry-pi-5.yaml").read_text(encoding="utf-8")
    (tmp_path / "raspberry-pi-6.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("edgeagent.doctor.board_profile.board_folder", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match="name: expected raspberry-pi-6"):
        load_profiles()
