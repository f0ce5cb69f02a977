"""Errors of delivery, by what the device does about them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeagent.errors import DeliveryError


class WrongClockError(DeliveryError):
    """The clock of this device is wrong, so that the age of metadata cannot be judged."""


class UnreachableError(DeliveryError):
    """The repository does not answer, or answers with an error; a later attempt may work.

    Args:
        message: text of the error.
        again: whether another attempt within this fetch makes sense.
        after_s: seconds that the server asks to wait (``Retry-After``); None when it does not.
    """

    def __init__(self, message: str, *, again: bool = True, after_s: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.after_s = after_s


class TooSlowError(UnreachableError):
    """The transfer is below the minimum speed (a slow retrieval attack, or a bad link)."""


class MissingError(UnreachableError):
    """The repository has no such file, or denies it.

    Args:
        message: text of the error.
        status: HTTP status; 404 for a folder.
    """

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message, again=False)
        self.status = status


class RefusedError(DeliveryError):
    """Metadata or a file does not verify: an attack, or a damaged repository."""


class NoRoomError(DeliveryError):
    """The disk is too full for the file."""


class CancelledError(DeliveryError):
    """The download was cancelled; the bytes so far stay for the next attempt."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of a write into a NoRoomError, or another DeliveryError.

    Args:
        path: of the file or folder that is written.

    Raises:
        NoRoomError: the disk or the quota is full.
        DeliveryError: any other OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoomError(
                f"{path}: the disk is full; make room, or set a smaller delivery.keep"
            ) from error
        raise DeliveryError(f"{path}: cannot be written ({error.strerror})") from error
