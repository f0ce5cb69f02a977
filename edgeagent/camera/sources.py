"""Selection of the frame source by the configured source string."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from edgeagent.camera.clip import ClipSource
from edgeagent.camera.decoders import DecoderCandidate
from edgeagent.camera.folder import FolderSource
from edgeagent.camera.opencv import DeviceSource, GStreamerSource
from edgeagent.camera.picamera2 import Picamera2Source
from edgeagent.camera.source import FrameSource
from edgeagent.camera.stream import DEFAULT_PORTS, StreamSource
from edgeagent.camera.web import HttpSource
from edgeagent.errors import CameraError, ConfigurationError
from edgeagent.files.naming import printable, redact
from edgeagent.imaging.picture import PICTURE_SUFFIXES
from edgeagent.settings.sections.camera import CameraSettings

Kind = Literal["device", "stream", "gstreamer", "picamera2", "registered", "path"]
ChosenDecoder = tuple[DecoderCandidate, str]
"""A decoder, and the codec that it was chosen for."""
SourceFactory = Callable[[CameraSettings], FrameSource]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PREFIX = re.compile(r"[a-z][a-z0-9]+")
_OWN_PREFIXES = ("gstreamer", "picamera2", *DEFAULT_PORTS)
_FOLDER_FPS = 1.0
_registered: dict[str, SourceFactory] = {}


def register_source(prefix: str, factory: SourceFactory) -> None:
    """Make ``PREFIX:anything`` a camera source of the configuration.

    Args:
        prefix: two or more small letters and digits, such as ``thermal``.
        factory: returns the frame source for a camera's settings, whose ``source`` is the whole string;
            called in the camera's thread at every attempt to open it.

    Raises:
        ConfigurationError: the prefix is malformed or taken.
    """
    if not _PREFIX.fullmatch(prefix) or prefix in _OWN_PREFIXES:
        raise ConfigurationError(
            f"camera source prefix {prefix!r}: expected small letters and digits, none of "
            f"{', '.join(_OWN_PREFIXES)}"
        )
    _registered[prefix] = factory


def source_kind(source: str) -> Kind:
    """Return the kind of a source string by its form; nothing is opened.

    Raises:
        ConfigurationError: the scheme is not supported, or a camera number is malformed.
    """
    if source.isdecimal() or source.startswith("/dev/"):
        return "device"
    if source.startswith("gstreamer:"):
        return "gstreamer"
    if source.startswith("picamera2:"):
        number = source.removeprefix("picamera2:")
        if number and not number.isdecimal():
            raise ConfigurationError(f"camera source {redact(source)}: after picamera2: comes a number")
        return "picamera2"
    if source.partition(":")[0] in _registered:
        return "registered"
    scheme = _SCHEME.match(source)
    if scheme is None:
        return "path"
    if scheme.group(1).lower() in DEFAULT_PORTS:
        return "stream"
    raise ConfigurationError(
        f"camera source {redact(source)}: {scheme.group(1)}:// is not supported; use a number, /dev/videoN, "
        f"{', '.join(f'{name}://' for name in DEFAULT_PORTS)}, gstreamer:, picamera2:, a file or a folder"
    )


def choose_source(settings: CameraSettings, decoder: ChosenDecoder | None = None) -> FrameSource:
    """Return the source of a camera, not yet opened.

    Args:
        settings: of the camera.
        decoder: decoder of a network stream, and the codec that it was chosen for; None decodes by software.

    Raises:
        ConfigurationError: the source string is malformed.
        CameraError: the file or folder does not exist.
    """
    source = settings.source
    match source_kind(source):
        case "device":
            return DeviceSource(source, settings.width, settings.height, settings.fps, settings.read_timeout)
        case "stream" if source[:4].lower() == "http":
            return HttpSource(settings)
        case "stream":
            return StreamSource(source, settings.open_timeout, settings.read_timeout, decoder)
        case "gstreamer":
            pipeline = source.removeprefix("gstreamer:")
            return GStreamerSource(pipeline, settings.open_timeout, settings.read_timeout)
        case "picamera2":
            number = int(source.removeprefix("picamera2:") or 0)
            return Picamera2Source(
                number, settings.width, settings.height, settings.fps, settings.read_timeout
            )
        case "registered":
            return _registered[source.partition(":")[0]](settings)
        case "path":
            path = Path(source)
            try:
                path.stat()
            except OSError as error:
                raise CameraError(f"camera source {printable(path)}: {error.strerror}") from error
            if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
                return FolderSource(path, settings.fps or _FOLDER_FPS)
            # by the clock one thread is enough, as for a network camera; more take memory
            return ClipSource(path, settings.open_timeout, threads=1 if settings.pace == "clock" else 0)


def open_source(settings: CameraSettings, decoder: ChosenDecoder | None = None) -> FrameSource:
    """Return the source of a camera, opened; see :func:`choose_source`.

    Raises:
        ConfigurationError: the source string is malformed.
        CameraError: see :meth:`FrameSource.open`.
    """
    source = choose_source(settings, decoder)
    source.open()
    return source
