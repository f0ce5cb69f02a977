"""The ``cameras`` section of the configuration: sources and their reconnection."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from edgeagent.settings.addresses import camera_source
from edgeagent.settings.types import Seconds, SettingsSection, Timeout, TopicLevel, number_as_text


def _file_name(value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Accept any file name from Python; pydantic refuses text that is not valid UTF-8."""
    if info.mode == "python" and isinstance(value, str) and any("\udc80" <= c <= "\udcff" for c in value):
        return value
    return validate(value)


class CameraSettings(SettingsSection):
    """Camera settings.

    Attributes:
        name: camera name, a level of its MQTT topics.
        source: number or /dev/videoN, rtsp:// or http:// URL, ``gstreamer:`` pipeline, ``picamera2:``, video
            file or folder of pictures; see docs/operations.md.
        width, height, fps: requested format of a live camera; the camera may select another.
        weight: relative share of processed frames when the engine cannot process all frames.
        pace: ``clock`` plays a file at its frame rate, ``unthrottled`` as fast as it is processed.
        loop: whether a file or folder restarts at its end.
        open_timeout, read_timeout: seconds after which a camera counts as lost; at most one hour.
        retry_first, retry_longest: first and longest delay between attempts to open a lost camera, in
            seconds.
    """

    name: TopicLevel
    source: Annotated[
        str,
        StringConstraints(min_length=1),
        BeforeValidator(number_as_text),
        WrapValidator(_file_name),
        AfterValidator(camera_source),
    ]
    width: Annotated[int, Field(gt=0)] | None = None
    height: Annotated[int, Field(gt=0)] | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    pace: Literal["clock", "unthrottled"] = "clock"
    loop: bool = False
    open_timeout: Timeout = 10.0
    read_timeout: Timeout = 5.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 30.0
