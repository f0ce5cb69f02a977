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
from edgeagent.settings.sections.motion import MotionSettings
from edgeagent.settings.sections.regions import Regions, TileSettings
from edgeagent.settings.sections.zones import Corners, GroundSettings, Lines, Masks, Zones
from edgeagent.settings.types import Seconds, SettingsSection, Timeout, TopicLevel, number_as_text

DecoderChoiceName = Literal[
    "software",
    "auto",
    "nvv4l2-gstreamer",
    "v4l2-gstreamer",
    "va-gstreamer",
    "vaapi",
    "drm",
    "v4l2m2m",
    "nvdec",
]


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
        decoder: of a stream with an RTSP address: ``software``, ``auto`` to use hardware that is right
            and cheaper, or the one to try, see :mod:`edgeagent.camera.decoders`.
        open_timeout, read_timeout: seconds after which a camera counts as lost; at most one hour.
        retry_first, retry_longest: first and longest delay between attempts to open a lost camera, in
            seconds.
        zones: areas of the picture whose objects are counted.
        lines: lines of the picture whose crossings are counted.
        masks: areas of the picture that are ignored or blurred.
        ground: ground plane, for speeds and positions; None measures none.
        motion: motion gate; None detects on every frame.
        regions: parts of the picture that the detector also sees alone, for far objects.
        tiles: regions that cover the picture; None adds none.
        clip_source: rtsp:// or http:// stream of the same camera whose video is stored as clips, such as its
            main stream where ``source`` is a smaller one; None stores that of ``source``.
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
    decoder: DecoderChoiceName = "software"
    open_timeout: Timeout = 10.0
    read_timeout: Timeout = 5.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 30.0
    zones: Zones = ()
    lines: Lines = ()
    masks: Masks = ()
    ground: GroundSettings | None = None
    motion: MotionSettings | None = None
    regions: Regions = ()
    tiles: TileSettings | None = None
    clip_source: Annotated[str, StringConstraints(min_length=1), AfterValidator(camera_source)] | None = None


def privacy_regions(camera: CameraSettings) -> tuple[Corners, ...]:
    """Return the corners of the masks that hide what is in them."""
    return tuple(mask.polygon for mask in camera.masks if mask.kind == "privacy")


def ignored_regions(camera: CameraSettings) -> tuple[Corners, ...]:
    """Return the corners of all masks: detections in them are dropped, whatever the kind of the mask."""
    return tuple(mask.polygon for mask in camera.masks)
