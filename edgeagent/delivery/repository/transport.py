"""Transport of the repository's files: the protocol, and the one for a folder.

The one for a web server is in :mod:`edgeagent.delivery.repository.http_transport`.
"""

from __future__ import annotations

import stat
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from edgeagent.delivery.errors import MissingError, UnreachableError
from edgeagent.errors import DeliveryError
from edgeagent.files.naming import printable


class OffsetError(DeliveryError):
    """The file cannot be read from the requested offset on.

    Args:
        message: text of the error.
        length: of the file in bytes; None where the server does not tell.
    """

    def __init__(self, message: str, length: int | None) -> None:
        super().__init__(message)
        self.length = length


class TransportResponse(Protocol):
    """An open file of the repository.

    Attributes:
        start: offset of the first byte; 0 where the server sends the whole file in spite of an offset.
        length: size of the whole file in bytes; None where the server does not tell.
    """

    start: int
    length: int | None

    def read(self, most: int) -> bytes:
        """Return the next bytes, 1 to ``most``; none at the end.

        Raises:
            UnreachableError: the connection was cut, or timed out.
        """

    def close(self) -> None:
        """Close the file."""


class Transport(Protocol):
    """Access to the files of a repository."""

    def open(self, url: str, offset: int = 0) -> TransportResponse:
        """Open a file at an offset.

        Args:
            url: of the file.
            offset: bytes.

        Raises:
            MissingError: there is no such file.
            OffsetError: the file ends before the offset.
            UnreachableError: it cannot be read now.
            RefusedError, WrongClockError: TLS refuses the server, or a redirect is not allowed.
        """

    def time(self) -> datetime | None:
        """Return the time of the server's clock; None where it is not known."""


class FolderTransport:
    """Transport from a folder, such as a mounted USB stick, by ``file://`` URL."""

    def open(self, url: str, offset: int = 0) -> TransportResponse:
        """Open a file; see :meth:`Transport.open`."""
        path = Path(unquote(urlsplit(url).path))
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
                raise MissingError(f"{printable(path)}: is not a file")
            file = path.open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(f"{printable(path)}: is missing from the repository") from None
        except OSError as error:
            raise UnreachableError(f"{printable(path)}: cannot be read ({error.strerror})") from error
        return _FileResponse(file, path, offset)

    def time(self) -> datetime | None:
        """Return None: a folder has no clock."""
        return None


class _FileResponse:
    def __init__(self, file: BinaryIO, path: Path, offset: int) -> None:
        self._file = file
        self._path = path
        self.start = offset
        size = file.seek(0, 2)
        self.length: int | None = size
        if offset > size:
            file.close()
            raise OffsetError(f"{printable(path)}: ends before byte {offset}", size)
        file.seek(offset)

    def read(self, most: int) -> bytes:
        try:
            return self._file.read(most)
        except OSError as error:
            raise UnreachableError(f"{printable(self._path)}: cannot be read ({error.strerror})") from error

    def close(self) -> None:
        self._file.close()
