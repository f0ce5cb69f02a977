"""Clips in the configuration: cameras that are not there, and those whose masks could not be kept."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edgeagent.settings.schema import Settings

MASK = {"polygon": [[0.7, 0.0], [1.0, 0.0], [1.0, 0.3]], "kind": "privacy"}


def settings(clips: object, **camera: object) -> Settings:
    cameras = [{"name": "yard", "source": "rtsp://a/1"}, {"name": "gate", "source": "rtsp://b/1", **camera}]
    return Settings.model_validate({"cameras": cameras, "clips": clips})


def test_all_cameras_or_those_that_are_named() -> None:
    every = settings({}).clips
    some = settings({"cameras": ["gate"]}).clips
    assert every is not None and every.wants("yard") and every.wants("gate")
    assert some is not None and some.wants("gate") and not some.wants("yard")
    with pytest.raises(ValidationError, match="there is no camera door"):
        settings({"cameras": ["door"]})


def test_a_camera_with_a_privacy_mask_has_no_clips() -> None:
    with pytest.raises(ValidationError, match="camera gate has a privacy mask"):
        settings({}, masks=[MASK])
    settings({"cameras": ["yard"]}, masks=[MASK])
    settings({}, masks=[{**MASK, "kind": "ignore"}])
