"""What can go wrong between a repository and a device, by what the device does about it."""

from __future__ import annotations

from edgeagent.errors import DeliveryError


class WrongClockError(DeliveryError):
    """The clock of this device is wrong, so that nothing can be said about the age of metadata."""


class UnreachableError(DeliveryError):
    """The repository does not answer, or not as it should; a later attempt may work.

    Args:
        message: for people.
        again: whether another attempt within this fetch makes sense.
        after_s: seconds that the server asks to wait.
    """

    def __init__(self, message: str, *, again: bool = True, after_s: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.after_s = after_s


class TooSlowError(UnreachableError):
    """Bytes come so slowly that somebody may be holding the download back."""


class MissingError(UnreachableError):
    """The repository has no such file, or does not give it out.

    Args:
        message: for people.
        status: of HTTP; 404 for a folder.
    """

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message, again=False)
        self.status = status


class RefusedError(DeliveryError):
    """What came does not verify: an attack, or a damaged repository."""


class NoRoomError(DeliveryError):
    """The disk has no room for the file."""


class CancelledError(DeliveryError):
    """Somebody called the download off; what has come so far stays for the next one."""
