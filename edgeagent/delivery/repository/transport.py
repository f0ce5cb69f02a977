"""Where files come from: a web server (:mod:`edgeagent.delivery.repository.http_transport`) or a folder."""

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
    """The file does not go on at that offset.

    Args:
        length: of the file, bytes; None where the server does not tell.
    """

    def __init__(self, message: str, length: int | None) -> None:
        super().__init__(message)
        self.length = length


class TransportResponse(Protocol):
    """A file that is being read.

    Attributes:
        start: offset in the file of the first byte; 0 where the server gives the whole file all the same.
        length: bytes of the whole file; None where the server does not tell.
    """

    start: int
    length: int | None

    def read(self, most: int) -> bytes:
        """Return what is there, 1 to ``most`` bytes; none at the end.

        Raises:
            UnreachableError: the connection was cut, or is silent for too long.
        """

    def close(self) -> None:
        """Give up what is left."""


class Transport(Protocol):
    """Opens the files of a repository."""

    def open(self, url: str, offset: int = 0) -> TransportResponse:
        """Open a file at an offset.

        Raises:
            MissingError: there is no such file.
            OffsetError: the file ends before the offset.
            UnreachableError: it cannot be had now.
            RefusedError, WrongClockError: TLS refuses the server, or a redirect leads astray.
        """

    def time(self) -> datetime | None:
        """Return what time it is by the clock of the server; None where it has not said."""


class FolderTransport:
    """Files in a folder, such as a mounted stick, by ``file://`` URL."""

    def open(self, url: str, offset: int = 0) -> TransportResponse:
        path = Path(unquote(urlsplit(url).path))
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
                raise MissingError(f"{printable(path)}: is not a file")
            file = path.open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(f"{printable(path)}: is missing from the repository") from None
        except OSError as error:
            raise UnreachableError(f"{printable(path)}: cannot be read ({error.strerror})") from error
        return _FileAnswer(file, path, offset)

    def time(self) -> datetime | None:
        return None


class _FileAnswer:
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
