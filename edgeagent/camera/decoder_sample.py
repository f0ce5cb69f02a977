"""Sample of a camera's encoded stream, on which decoders are tried: its first packets, as a file.

OpenCV gives packets instead of pictures with ``CAP_PROP_FORMAT`` -1; those of H.264 and H.265 as an
elementary stream (Annex B of ITU-T H.264), which every decoder reads from a file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2

from edgeagent.camera.decoding import CODECS
from edgeagent.errors import CameraError

PACKETS = 60
LONGEST_S = 10.0
LARGEST_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class StreamSample:
    """A piece of a stream.

    Attributes:
        path: file with the packets.
        codec: name of the codec.
        size: (width, height) in pixels.
        packets: their number.
    """

    path: Path
    codec: str
    size: tuple[int, int]
    packets: int


def codec_of(capture: cv2.VideoCapture) -> str:
    """Return the name of the codec of an open capture; the four characters where it has no name here."""
    number = max(0, int(capture.get(cv2.CAP_PROP_FOURCC)))
    characters = number.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ").lower()
    return CODECS.get(characters, characters or "unknown")


def record_sample(target: str, path: Path, timeout_s: float, packets: int = PACKETS) -> StreamSample:
    """Write the first packets of a stream into a file.

    Args:
        target: address or file name, as OpenCV opens it.
        path: file to write; its suffix is replaced by the codec, by which FFmpeg knows what is in it.
        timeout_s: longest opening and longest reading of a packet, in seconds.
        packets: number of packets at most.

    Raises:
        CameraError: the stream cannot be opened, or gives no packet.
    """
    timeout = round(timeout_s * 1000)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout]
    capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)
    try:
        if not capture.isOpened():
            raise CameraError("the stream cannot be opened a second time, to try decoders on it")
        codec = codec_of(capture)
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        capture.set(cv2.CAP_PROP_FORMAT, -1)
        path = path.with_suffix(f".{codec}")
        count = written = 0
        end = time.monotonic() + max(LONGEST_S, timeout_s)
        with path.open("wb") as file:
            while count < packets and written < LARGEST_BYTES and time.monotonic() < end:
                ok, packet = capture.read()
                if not ok:
                    break
                written += file.write(packet.tobytes())
                count += 1
        if not count:
            raise CameraError("the stream gives no packet, to try decoders on it")
        return StreamSample(path, codec, (int(width), int(height)), count)
    finally:
        capture.release()
