"""Clip as an MP4 file of encoded packets; nothing is decoded or encoded.

It begins with a key frame. Times are those of the camera, from 0 on; times that stand still or go back, as
some cameras send them, are moved forward as far as the file format demands.
"""

from __future__ import annotations

from contextlib import suppress

from edgeagent.camera.packet_ring import EncodedPacket, StreamFormat
from edgeagent.errors import EdgeagentError
from edgeagent.events.retained_files import GrowingFile


class ClipFile:
    """MP4 file that is being written.

    Args:
        file: receiver of the bytes.
        stream: format of the packets.

    Raises:
        EdgeagentError: the stream cannot be in a file.
    """

    def __init__(self, file: GrowingFile, stream: StreamFormat) -> None:
        import av

        self._file = file
        self._time_base = stream.time_base
        self._first: int | None = None
        self._last: int | None = None
        try:
            self._container = av.open(file, "w", format="mp4")
            self._stream = self._container.add_stream_from_template(stream.stream, opaque=True)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            file.discard()
            raise EdgeagentError(f"{file.path}: the stream does not fit into MP4 ({error})") from error

    def add(self, packet: EncodedPacket) -> None:
        """Append a packet.

        Raises:
            EdgeagentError: it cannot be written.
        """
        import av

        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            return
        if self._first is None:
            self._first = dts
        dts -= self._first
        if self._last is not None:
            dts = max(dts, self._last + 1)
        self._last = dts
        one = av.Packet(packet.data)
        one.time_base = self._time_base
        one.dts = dts
        one.pts = dts if packet.pts is None else max(dts, packet.pts - self._first)
        if packet.duration:
            one.duration = packet.duration
        one.is_keyframe = packet.key
        one.stream = self._stream
        try:
            self._container.mux(one)
        except (av.error.FFmpegError, OSError) as error:
            raise EdgeagentError(f"{self._file.path}: cannot be written ({error})") from error

    def finish(self) -> None:
        """Write the index, and give the file its name.

        Raises:
            EdgeagentError: it cannot be written; it is gone.
        """
        import av

        try:
            self._container.close()
            self._file.finish()
        except (av.error.FFmpegError, OSError) as error:
            raise EdgeagentError(f"{self._file.path}: cannot be written ({error})") from error
        finally:
            self._file.discard()  # unless it is finished

    def discard(self) -> None:
        """Remove the file unless it is finished."""
        import av

        self._file.discard()
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()  # its index goes nowhere
