"""Test of a camera's address: it is opened as a running agent does it, and gives one picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote

import cv2
import numpy as np
from pydantic import ValidationError

from edgeagent.camera.sources import open_source
from edgeagent.camera.stream import DEFAULT_PORTS
from edgeagent.errors import CameraError, ConfigurationError
from edgeagent.files.naming import redact
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.camera import CameraSettings

LONGEST_SIDE, QUALITY = 1280, 80
FIRST_FRAMES = 5
"""Frames that are read: those of a camera that has just been opened are often dark or damaged."""


@dataclass(frozen=True, slots=True)
class AddressPicture:
    """Picture of an address.

    Attributes:
        jpeg: it, scaled down to :data:`LONGEST_SIDE` at most.
        width, height: in pixels, as the camera gives them.
        fps: frame rate that the camera names; None where it names none.
        seconds: to the first picture.
    """

    jpeg: bytes
    width: int
    height: int
    fps: float | None
    seconds: float


def with_login(source: str, user: str, password: str) -> str:
    """Return the address of a network camera with user name and password.

    Raises:
        ConfigurationError: it is none, or has some already.
    """
    scheme, found, rest = source.partition("://")
    if not found or scheme.lower() not in DEFAULT_PORTS:
        raise ConfigurationError(f"{redact(source)}: only a network camera has user and password")
    if "@" in rest.partition("/")[0]:
        raise ConfigurationError(f"{redact(source)}: the address has a user name already")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def take_picture(source: str, open_timeout_s: float = 10.0, read_timeout_s: float = 5.0) -> AddressPicture:
    """Open a camera, return one of its pictures, and close it; may take both times.

    Args:
        source: as ``cameras.source`` of the configuration.
        open_timeout_s, read_timeout_s: seconds after which it counts as lost.

    Raises:
        ConfigurationError: this is no source.
        CameraError: it cannot be opened or gives no picture; the text has no credentials.
    """
    try:
        settings = CameraSettings(
            name="test", source=source, open_timeout=open_timeout_s, read_timeout=read_timeout_s
        )
    except ValidationError as error:
        raise ConfigurationError(f"{redact(source)}: {first_mistake(error).text}") from None
    begun = time.monotonic()
    opened = open_source(settings)
    try:
        image = opened.read(None)
        seconds = time.monotonic() - begun
        for _ in range(FIRST_FRAMES - 1):
            later = opened.read(None) if opened.facts.live else None
            image = image if later is None else later
        fps = opened.facts.fps
    finally:
        opened.close()
    if image is None:
        raise CameraError(f"{redact(source)}: it ends without a picture")
    height, width = image.shape[:2]
    share = LONGEST_SIDE / max(height, width)
    if share < 1:
        size = (max(1, round(width * share)), max(1, round(height * share)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise CameraError(f"{redact(source)}: its picture cannot be encoded")
    return AddressPicture(jpeg.tobytes(), width, height, fps, seconds)
