"""Catalogue of decoders, as data: how OpenCV is asked for each, and what it needs of the board.

::

    software       FFmpeg on the processor
    acceleration   FFmpeg with a hardware device: CAP_PROP_HW_ACCELERATION of OpenCV
    codec          a decoder of FFmpeg by name: the option video_codec in OPENCV_FFMPEG_CAPTURE_OPTIONS
    gstreamer      a decoder of GStreamer in a pipeline; of the wheels of OpenCV none has GStreamer

A decoder that is listed is a candidate: it is used once it has decoded a piece of the camera's own stream
as the software does (:mod:`edgeagent.camera.decoder_trial`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2

DecoderWay = Literal["software", "acceleration", "codec", "gstreamer"]
GSTREAMER_CODECS = {"h264": "h264", "hevc": "h265"}
TO_BGR = "videoconvert ! video/x-raw,format=BGR"


@dataclass(frozen=True, slots=True)
class DecoderCandidate:
    """A decoder that a board may have.

    Attributes:
        name: in the configuration, the journal and telemetry.
        way: how OpenCV is asked for it.
        value: name of the acceleration in ``cv2``, of the decoder in FFmpeg, or elements of GStreamer, with
            the codec in braces.
        needs: patterns below the root folder of which one must exist.
    """

    name: str
    way: DecoderWay
    value: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """Arguments with which OpenCV opens a source.

    Attributes:
        target: file name, URL or pipeline.
        backend: number of the backend in OpenCV.
        parameters: properties that are set before it opens.
        options: value of ``OPENCV_FFMPEG_CAPTURE_OPTIONS`` meanwhile; None leaves the variable as it is.
    """

    target: str
    backend: int
    parameters: dict[int, int] = field(default_factory=dict)
    options: str | None = None


RENDER, MEMORY_TO_MEMORY = ("dev/dri/renderD*",), ("dev/video1[0-9]",)
SOFTWARE = DecoderCandidate("software", "software")
CANDIDATES: tuple[DecoderCandidate, ...] = (
    DecoderCandidate(
        "nvv4l2-gstreamer",
        "gstreamer",
        "nvv4l2decoder ! nvvidconv ! video/x-raw,format=BGRx",
        ("dev/nvhost-nvdec*", "dev/v4l2-nvdec"),
    ),
    DecoderCandidate("v4l2-gstreamer", "gstreamer", "v4l2{codec}dec", MEMORY_TO_MEMORY),
    DecoderCandidate("va-gstreamer", "gstreamer", "va{codec}dec ! vapostproc", RENDER),
    DecoderCandidate("vaapi", "acceleration", "VIDEO_ACCELERATION_VAAPI", RENDER),
    DecoderCandidate("drm", "acceleration", "VIDEO_ACCELERATION_DRM", RENDER),
    DecoderCandidate("v4l2m2m", "codec", "{codec}_v4l2m2m", MEMORY_TO_MEMORY),
    DecoderCandidate("nvdec", "codec", "{codec}_cuvid", ("dev/nvidia0",)),
)


def find_decoder(name: str) -> DecoderCandidate:
    """Return a decoder by its name.

    Raises:
        KeyError: there is none of that name.
    """
    return {one.name: one for one in (SOFTWARE, *CANDIDATES)}[name]


def possible_decoders(codec: str, root: Path = Path("/")) -> Iterator[tuple[DecoderCandidate, str | None]]:
    """Yield each candidate with the reason why it cannot be tried, None where it can.

    Args:
        codec: of the stream.
        root: folder that contains /dev.
    """
    for candidate in CANDIDATES:
        yield candidate, _obstacle(candidate, codec, root)


def opening(candidate: DecoderCandidate, target: str, codec: str) -> Opening:
    """Return how OpenCV opens a file or an RTSP address with a decoder.

    Args:
        candidate: the decoder.
        target: path of a file, ``file:`` and a path, or an RTSP address.
        codec: of the stream.
    """
    if candidate.way == "acceleration":
        value = int(getattr(cv2, candidate.value, 0))
        return Opening(target, cv2.CAP_FFMPEG, {cv2.CAP_PROP_HW_ACCELERATION: value})
    if candidate.way == "codec":
        chosen = f"video_codec;{candidate.value.format(codec=codec)}"
        return Opening(target, cv2.CAP_FFMPEG, {}, f"rtsp_flags;prefer_tcp|{chosen}")
    if candidate.way == "gstreamer":
        named = GSTREAMER_CODECS.get(codec, codec)
        elements = candidate.value.format(codec=named)
        pipeline = f"{_source(target, named)} ! {named}parse ! {elements} ! {TO_BGR}"
        live = "drop=true max-buffers=1 " if target.startswith("rtsp") else ""
        return Opening(f"{pipeline} ! appsink {live}sync=false", cv2.CAP_GSTREAMER)
    return Opening(target, cv2.CAP_FFMPEG)


def _source(target: str, codec: str) -> str:
    if target.startswith("rtsp"):
        return f'rtspsrc location="{_quoted(target)}" protocols=tcp latency=100 ! rtp{codec}depay'
    return f'filesrc location="{_quoted(target.removeprefix("file:"))}"'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _obstacle(candidate: DecoderCandidate, codec: str, root: Path) -> str | None:
    if codec not in GSTREAMER_CODECS:
        return f"no hardware decoder is listed for {codec}"
    if not any(next(root.glob(pattern), None) for pattern in candidate.needs):
        return f"no {' and no '.join(f'/{pattern}' for pattern in candidate.needs)}"
    if candidate.way == "gstreamer" and not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        return "this OpenCV has no GStreamer"
    if candidate.way == "acceleration" and not hasattr(cv2, candidate.value):
        return "this OpenCV does not know it"
    return None
