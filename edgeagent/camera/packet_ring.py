"""Ring of the newest encoded packets of a camera, bounded by time and by bytes; nothing is decoded.

The ring begins with a key frame, without which nothing behind it can be decoded: groups of pictures are
dropped as a whole.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """Encoded picture as it came from the camera.

    Attributes:
        number: of the packet, ascending over all connections.
        data: encoded picture.
        pts, dts, duration: in the time base of the stream; None where it says none.
        key: whether decoding can begin here.
        at_s: monotonic seconds of its arrival.
    """

    number: int
    data: bytes
    pts: int | None
    dts: int | None
    duration: int | None
    key: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """Format of a video stream, independent of the connection that it came by.

    Attributes:
        stream: of PyAV, with the parameters of the codec, as template for a file.
        time_base: seconds of one step of its times.
    """

    stream: Any
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class RingPackets:
    """Packets of one connection.

    Attributes:
        format: of the stream that they belong to.
        packets: oldest first.
        over: whether the connection has ended, so that no more follow.
    """

    format: StreamFormat | None
    packets: tuple[EncodedPacket, ...]
    over: bool


class PacketRing:
    """Newest packets; thread-safe.

    Args:
        seconds: that are kept at least, and one group of pictures more.
        size: most bytes; a longer group of pictures than fits is dropped up to the next key frame.
    """

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds, self._limit = seconds, size
        self._packets: deque[EncodedPacket] = deque()
        self._keys: deque[int] = deque()  # numbers of the key frames in it
        self._size, self._number, self._connection = 0, 0, 0
        self._format: StreamFormat | None = None
        self._over = True
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes in the ring."""
        return self._size

    def connect(self, stream: StreamFormat) -> None:
        """Begin with the packets of a new connection; those of the last one are dropped."""
        with self._lock:
            self._clear()
            self._format, self._over = stream, False
            self._connection += 1

    def disconnect(self) -> None:
        """Record that the connection has ended; its packets stay until the next one."""
        with self._lock:
            self._over = True

    def add(
        self, data: bytes, pts: int | None, dts: int | None, duration: int | None, key: bool, at_s: float
    ) -> None:
        """Add a packet of the present connection; the arguments are those of :class:`EncodedPacket`."""
        with self._lock:
            if not self._keys and not key:
                return
            self._number += 1
            packet = EncodedPacket(self._number, data, pts, dts, duration, key, at_s)
            self._packets.append(packet)
            self._size += len(data)
            if key:
                self._keys.append(packet.number)
            while len(self._keys) > 1 and self._at(self._keys[1]).at_s <= at_s - self._seconds:
                self._drop_group()
            while self._size > self._limit and self._keys:
                self._drop_group()

    def beginning(self, time_s: float) -> tuple[int, int] | None:
        """Return connection and number of the key frame with which a clip from a time on begins.

        That is the last one before it, or the first one behind it; None where there is none yet.
        """
        with self._lock:
            if not self._keys:
                return None
            before = [number for number in self._keys if self._at(number).at_s <= time_s]
            return self._connection, (before[-1] if before else self._keys[0])

    def after(self, connection: int, number: int) -> RingPackets:
        """Return the packets of a connection behind one of its packets.

        Where those that follow at once are gone, the first one has a higher number than the next.
        """
        with self._lock:
            if connection != self._connection:
                return RingPackets(None, (), True)
            if not self._packets:
                return RingPackets(self._format, (), self._over)
            skipped = max(0, number + 1 - self._packets[0].number)
            found = tuple(self._packets)[skipped:]
            return RingPackets(self._format, found, self._over)

    def _at(self, number: int) -> EncodedPacket:
        return self._packets[number - self._packets[0].number]

    def _drop_group(self) -> None:
        """Drop everything before the second key frame; all where there is none."""
        self._keys.popleft()
        if not self._keys:
            self._clear()
            return
        while self._packets[0].number < self._keys[0]:
            self._size -= len(self._packets.popleft().data)

    def _clear(self) -> None:
        self._packets.clear()
        self._keys.clear()
        self._size = 0
