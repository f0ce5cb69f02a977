"""Where files of hard frames are sent: the protocol, and what became of an attempt."""

from __future__ import annotations

from typing import Literal, Protocol

UploadOutcome = Literal["delivered", "refused", "failed"]
"""``refused``: another attempt would not change it; ``failed``: it might."""


class FrameTarget(Protocol):
    """Server or object store."""

    place: str
    """Scheme and host, for the log; neither path nor key."""

    def send(self, name: str, content: bytes, kind: str) -> tuple[UploadOutcome, str]:
        """Send a file.

        Args:
            name: ``DEVICE/CAMERA/TIME.jpg`` or ``.json``.
            content: of the file.
            kind: its media type.

        Returns:
            What became of it, and the reason in a few words, without a secret.
        """


def unexpected(error: Exception) -> str:
    """Return the reason where a library failed in a way of its own; its message may quote a key."""
    return f"gives an answer that cannot be used ({type(error).__name__})"
