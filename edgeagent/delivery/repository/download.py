"""Fetches one file of which length and hashes are known, and goes on where the last attempt ended.

What has come lies in ``NAME.part``. It is hashed again at the start and further while bytes come in;
the file gets its name when length and hashes are right and it is on the disk, so a file without ``.part``
is whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgeagent.delivery.errors import NoRoomError, RefusedError, UnreachableError
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import never, retried
from edgeagent.delivery.repository.transport import OffsetError, Transport
from edgeagent.errors import DeliveryError
from edgeagent.files.atomic import sync
from edgeagent.files.hashing import chunks
from edgeagent.files.naming import redact


def ignore(_: int) -> None:
    """Take the progress of a download, and do nothing with it."""


class Download:
    """One file on its way.

    Args:
        url: of the file.
        length: bytes that it must have.
        hashes: hexadecimal digest that it must have, by name of the algorithm.
        destination: its name on this device; its folder is made.
    """

    def __init__(self, url: str, length: int, hashes: Mapping[str, str], destination: Path) -> None:
        self._url = url
        self._name = redact(url)
        self._length = length
        self._hashes = hashes
        self._destination = destination
        self._part = destination.with_name(destination.name + ".part")

    def run(
        self,
        transport: Transport,
        line: ThrottledReader,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Fetch it; a file that is there and right is left as it is.

        Args:
            transport: opens the URL.
            line: gives speed and patience.
            progress: told how many bytes of the file are here; it falls where a download starts again.
            cancelled: asked before every piece.

        Raises:
            UnreachableError: the server does not give it, even after some attempts; what came stays.
            RefusedError: it has another length or other hashes; what came is deleted.
            NoRoomError: the disk is too small; nothing was asked of the server.
            CancelledError: ``cancelled`` said so; what came stays.
            DeliveryError: it cannot be written.
        """
        with _writing(self._part):
            if self._is_there():
                progress(self._length)
                return
            self._destination.parent.mkdir(parents=True, exist_ok=True)
            with _Part(self._part, self._length, self._hashes) as part:
                self._check_room(part.size)
                resumed = part.size > 0
                progress(part.size)

                def attempt() -> None:
                    self._attempt(part, transport, line, progress, cancelled)

                retried(attempt, line.patience, cancelled, lambda: part.size)
                if resumed and part.wrong():  # the old bytes may be to blame: once more, all of it
                    part.restart()
                    retried(attempt, line.patience, cancelled, lambda: part.size)
                self._check(part)
                part.sync()
            self._part.replace(self._destination)
            sync(self._destination.parent)

    def _is_there(self) -> bool:
        if not self._destination.is_file() or self._destination.stat().st_size != self._length:
            return False
        with _Part(self._destination, self._length, self._hashes) as there:
            return not there.wrong()

    def _check_room(self, have: int) -> None:
        need, free = self._length - have, shutil.disk_usage(self._destination.parent).free
        if need > free:
            raise NoRoomError(
                f"{self._destination}: needs {need} more bytes, and the disk has {free}; make room, or set a "
                "smaller delivery.keep"
            )

    def _attempt(
        self,
        part: _Part,
        transport: Transport,
        line: ThrottledReader,
        progress: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Ask once for what is missing."""
        if part.size == self._length:
            return
        try:
            answer = transport.open(self._url, part.size)
        except OffsetError as error:
            if error.length is not None:
                self._check_announced(error.length)
            part.restart()
            raise UnreachableError(str(error)) from error
        if answer.length is not None and answer.length != self._length:
            answer.close()
            self._check_announced(answer.length)
        if answer.start != part.size:
            part.restart()
            if answer.start:
                answer.close()
                raise UnreachableError(
                    f"{self._name}: the server begins at byte {answer.start}, which was not asked"
                )
        # One byte more than there should be shows a file that does not end.
        most = self._length - part.size + (answer.length is None)
        for piece in line.pieces(answer, self._name, most, cancelled):
            if part.size + len(piece) > self._length:
                part.delete()
                raise RefusedError(
                    f"{self._name}: does not end after the {self._length} bytes of signed metadata; refused"
                )
            part.write(piece)
            progress(part.size)
        if part.size < self._length:
            raise UnreachableError(f"{self._name}: ended after {part.size} of {self._length} bytes")

    def _check_announced(self, length: int) -> None:
        if length != self._length:
            raise RefusedError(
                f"{self._name}: the server has {length} bytes, signed metadata say {self._length}; refused"
            )

    def _check(self, part: _Part) -> None:
        wrong = part.wrong()
        if wrong is not None:
            part.delete()
            raise RefusedError(
                f"{self._name}: its {wrong} is not that of signed metadata; the file was changed or damaged, "
                "refused"
            )


class _Part:
    """Bytes on the disk, hashed from the first to the last.

    Attributes:
        size: bytes that are there.
    """

    def __init__(self, path: Path, length: int, hashes: Mapping[str, str]) -> None:
        self._path = path
        self._hashes = hashes
        self._digests = {name: hashlib.new(name) for name in hashes}
        self._file = os.fdopen(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b", buffering=0
        )
        self.size = 0
        if os.fstat(self._file.fileno()).st_size > length:
            self.restart()
        for chunk in chunks(self._file):
            self._count(chunk)

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._count(piece)

    def restart(self) -> None:
        """Forget all bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._digests = {name: hashlib.new(name) for name in self._hashes}
        self.size = 0

    def wrong(self) -> str | None:
        """Return the name of a hash that is not the expected one; None where all are right."""
        return next(
            (name for name, digest in self._digests.items() if digest.hexdigest() != self._hashes[name]), None
        )

    def sync(self) -> None:
        """Bring it to the disk."""
        os.fsync(self._file.fileno())

    def delete(self) -> None:
        """Remove the file, which does not verify."""
        self._path.unlink()

    def _count(self, piece: bytes) -> None:
        for digest in self._digests.values():
            digest.update(piece)
        self.size += len(piece)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell a full disk from other errors of the disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoomError(
                f"{path}: the disk is full; make room, or set a smaller delivery.keep"
            ) from error
        raise DeliveryError(f"{path}: cannot be written ({error.strerror})") from error
