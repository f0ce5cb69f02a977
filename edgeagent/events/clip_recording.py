"""Recording of one clip: packets from the ring of its camera into its file, up to its end."""

from __future__ import annotations

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.errors import EdgeagentError
from edgeagent.events.clip_file import ClipFile
from edgeagent.events.retained_files import RetainedFiles

GRACE_S = 1.0
"""Seconds after the end for which packets that are on the way are waited for."""


class ClipRecording:
    """Recording of one object; used by one thread.

    It begins with the first packets that the ring has for it and is over when the end has come, the clip has
    its greatest length, or the connection of the camera has ended.

    Args:
        files: that keep the clip.
        name: of the clip below their folder.
        ring: packets of the camera.
        begin_s: monotonic time from which on pictures are wanted, in seconds.
        longest_s: most seconds of the clip.

    Attributes:
        name: of the clip below the folder.
    """

    def __init__(
        self, files: RetainedFiles, name: str, ring: PacketRing, begin_s: float, longest_s: float
    ) -> None:
        self._files, self.name, self._ring = files, name, ring
        self._begin_s, self._longest_s = begin_s, longest_s
        self._until_s = float("inf")
        self._connection: int | None = None
        self._next = 0
        self._file: ClipFile | None = None

    def end(self, at_s: float) -> None:
        """Set the monotonic time up to which pictures are wanted."""
        self._until_s = min(self._until_s, at_s)

    def record(self, now_s: float) -> bool:
        """Write what is new; return whether the clip is over.

        Raises:
            EdgeagentError: it cannot be written, or packets are missing.
        """
        if self._connection is None:
            found = self._ring.beginning(self._begin_s)
            if found is None:
                return now_s > self._until_s + GRACE_S
            self._connection, self._next = found
        new = self._ring.after(self._connection, self._next - 1)
        if new.format is None:
            return True
        for packet in new.packets:
            if packet.at_s > self._until_s:
                return True
            if packet.number != self._next:
                if self._file is None:
                    self._connection = None  # it has left the ring just now: begin again
                    return False
                raise EdgeagentError(f"{self.name}: packets are missing, as the disk is too slow; given up")
            if self._file is None:
                self._file = ClipFile(self._files.begin(self.name), new.format)
                self._until_s = min(self._until_s, packet.at_s + self._longest_s)
            self._file.add(packet)
            self._next = packet.number + 1
        return new.over or now_s > self._until_s + GRACE_S

    def finish(self) -> bool:
        """Give the file its name; return whether there is one.

        Raises:
            EdgeagentError: it cannot be written; it is gone.
        """
        if self._file is None:
            return False
        self._file.finish()
        return True

    def discard(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.discard()
