"""Encoded packets of small numbered frames, made with PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.camera.packets import stream_format
from tests.camera.media import grey, number_of

FPS, GOP = 10, 10
"""Frames per second, and frames between two key frames."""


def write_stream(path: Path, frames: int, size: tuple[int, int] = (64, 48), noise: bool = False) -> Path:
    """Write a file with a key frame every :data:`GOP` frames; with noise, a frame takes many bytes."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = GOP
        stream.codec_context.options = {"sc_threshold": "1000000000"}  # no key frames between
        stream.codec_context.qmin = stream.codec_context.qmax = 1
        if noise:
            stream.codec_context.bit_rate = 50_000_000
        for number in range(frames):
            image = random.integers(0, 256, (size[1], size[0], 3), np.uint8) if noise else grey(number, size)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


@dataclass
class Feed:
    """Feeds the packets of a file into a ring at times that a test chooses; frame n comes at n / FPS."""

    path: Path
    ring: PacketRing

    def __post_init__(self) -> None:
        self.fed = 0
        with av.open(str(self.path)) as container:
            stream = container.streams.video[0]
            self.packets = [packet for packet in container.demux(stream) if packet.size]
            self.ring.connect(stream_format(stream))

    def until(self, time_s: float) -> None:
        """Feed all packets that come up to a time."""
        while self.fed < len(self.packets) and self.fed / FPS <= time_s + 1e-6:
            packet = self.packets[self.fed]
            self.ring.add(
                bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe, self.fed / FPS
            )
            self.fed += 1


def numbers(path: Path) -> list[int]:
    """Return the numbers of the frames of a clip, all of which must be decoded."""
    with av.open(str(path)) as container:
        return [number_of(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def seconds(path: Path) -> float:
    """Return the length that the file says."""
    with av.open(str(path)) as container:
        assert container.duration is not None
        return float(container.duration / av.time_base)
