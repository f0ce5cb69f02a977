"""The ``cameras`` section of the configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from edgeagent.settings.types import Seconds, SettingsSection, TopicLevel, number_as_text


def _file_name(value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Take any file name from a program; pydantic refuses those that are not UTF-8 as text."""
    if info.mode == "python" and isinstance(value, str) and any("\udc80" <= c <= "\udcff" for c in value):
        return value
    return validate(value)


class CameraSettings(SettingsSection):
    """One camera.

    Attributes:
        name: topic level of its detections.
        source: see docs/operations.md: a number or /dev/videoN, rtsp:// or http:// URL, ``gstreamer:``
            pipeline, ``picamera2:``, a video file, a folder of pictures.
        width, height, fps: asked of a live camera; the camera may answer with others.
        weight: share of the frames that are processed when there are more than the engine manages.
        pace: ``clock`` plays a file at its own frame rate, ``unthrottled`` as fast as it is processed.
        loop: start a file or folder again at its end.
        open_timeout, read_timeout: after which a camera counts as lost.
        retry_first, retry_longest: back-off between attempts to open a lost camera.
    """

    name: TopicLevel
    source: Annotated[
        str, StringConstraints(min_length=1), BeforeValidator(number_as_text), WrapValidator(_file_name)
    ]
    width: Annotated[int, Field(gt=0)] | None = None
    height: Annotated[int, Field(gt=0)] | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    pace: Literal["clock", "unthrottled"] = "clock"
    loop: bool = False
    open_timeout: Seconds = 10.0
    read_timeout: Seconds = 5.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 30.0
