"""Resumable download of one file with known length and hashes.

Bytes go into ``NAME.part``. A download that resumes hashes them again first, and then every piece as it
arrives. The file gets its name when length and hashes are right and it is on the disk, so that a file without
``.part`` is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from edgeagent.delivery.errors import NoRoomError, RefusedError, UnreachableError, storage_errors
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import never, retried
from edgeagent.delivery.repository.transport import OffsetError, Transport
from edgeagent.files.atomic import sync
from edgeagent.files.hashing import chunks
from edgeagent.files.naming import redact


def ignore(_: int) -> None:
    """Ignore the progress of a download."""


class Download:
    """Download of one file.

    Args:
        url: of the file.
        length: expected size in bytes.
        hashes: expected digests in hexadecimal, by name of the algorithm.
        destination: path on this device; its folder is made.
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
        reader: ThrottledReader,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Fetch the file; one that is complete and verifies is left as it is.

        Args:
            transport: opens the URL.
            reader: reads the responses at a limited speed.
            progress: called with the number of bytes on the device; it falls when a download restarts.
            cancelled: asked before every piece.

        Raises:
            UnreachableError: all attempts failed; the bytes so far stay.
            RefusedError: length or hashes are wrong; the bytes so far are deleted.
            NoRoomError: the disk is too full; the server was not asked.
            CancelledError: ``cancelled`` returned True; the bytes so far stay.
            DeliveryError: it cannot be written.
        """
        with storage_errors(self._part):
            if self._is_there():
                progress(self._length)
                return
            self._destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _Part(self._part, self._length, self._hashes) as part:
                try:
                    self._fill(part, transport, reader, progress, cancelled)
                except NoRoomError:
                    if not part.size:
                        part.delete()
                    raise
                except RefusedError:
                    part.delete()
                    raise
                part.sync()
            self._part.replace(self._destination)
            sync(self._destination.parent)

    def _fill(
        self,
        part: _Part,
        transport: Transport,
        reader: ThrottledReader,
        progress: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Fetch the missing bytes until they verify."""
        self._check_room(part.size)
        resumed = part.size > 0
        progress(part.size)

        def attempt() -> None:
            self._attempt(part, transport, reader, progress, cancelled)

        retried(attempt, reader.limits, cancelled, lambda: part.size)
        if resumed and part.wrong():  # the old bytes may be the wrong ones: fetch all of it
            part.restart()
            retried(attempt, reader.limits, cancelled, lambda: part.size)
        self._check(part)

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
        reader: ThrottledReader,
        progress: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Request the missing bytes once."""
        if part.size == self._length:
            return
        try:
            response = transport.open(self._url, part.size)
        except OffsetError as error:
            if error.length is not None:
                self._check_announced(error.length)
            part.restart()
            raise UnreachableError(str(error)) from error
        if response.length is not None and response.length != self._length:
            response.close()
            self._check_announced(response.length)
        if response.start != part.size:
            part.restart()
            if response.start:
                response.close()
                raise UnreachableError(
                    f"{self._name}: the server begins at byte {response.start}, which was not requested"
                )
        # One byte more than expected shows a file that does not end.
        most = self._length - part.size + (response.length is None)
        for piece in reader.pieces(response, self._name, most, cancelled):
            if part.size + len(piece) > self._length:
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
            raise RefusedError(
                f"{self._name}: its {wrong} is not that of signed metadata; the file was changed or damaged, "
                "refused"
            )


class _Part:
    """File of a download, with the running hashes of its bytes.

    Attributes:
        size: bytes in the file.
    """

    def __init__(self, path: Path, length: int, hashes: Mapping[str, str]) -> None:
        self._path = path
        self._hashes = hashes
        self._digests = {name: hashlib.new(name) for name in hashes}
        self._file = os.fdopen(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", buffering=0
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
        """Delete all bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._digests = {name: hashlib.new(name) for name in self._hashes}
        self.size = 0

    def wrong(self) -> str | None:
        """Return the name of a hash that differs from the expected one; None if all are right."""
        return next(
            (name for name, digest in self._digests.items() if digest.hexdigest() != self._hashes[name]), None
        )

    def sync(self) -> None:
        """Bring the content to the disk."""
        os.fsync(self._file.fileno())

    def delete(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    def _count(self, piece: bytes) -> None:
        for digest in self._digests.values():
            digest.update(piece)
        self.size += len(piece)
