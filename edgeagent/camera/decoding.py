"""Decoding of a camera: which decoder turns its stream into pictures, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

CODECS = {"avc1": "h264", "h264": "h264", "hevc": "hevc", "hvc1": "hevc", "mjpg": "mjpeg", "fmp4": "mpeg4"}
"""Names of codecs by the four characters that OpenCV gives."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoder of an open source.

    Attributes:
        codec: name of the codec in small letters, such as ``h264``; ``raw`` where pictures are not encoded.
        decoder: ``software``, or the name of the hardware decoder (:mod:`edgeagent.camera.decoders`).
        library: that decodes: FFmpeg, V4L2 or GStreamer, as OpenCV has it.
        cpu_ms: processor time for a frame in ms, with the conversion to BGR, over all frames so far; None
            where the decoder has threads of its own, or no frame was read.
    """

    codec: str
    decoder: str
    library: str
    cpu_ms: float | None

    @property
    def hardware(self) -> bool:
        """Whether the codec is decoded by hardware."""
        return self.decoder != "software"


@runtime_checkable
class DecodingSource(Protocol):
    """Frame source that knows its decoder; others, such as a folder of pictures, have none."""

    @property
    def decoding(self) -> Decoding | None:
        """The decoder; None while the source is not open, or where it is unknown."""
