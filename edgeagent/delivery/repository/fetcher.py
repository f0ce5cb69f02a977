"""How tuf's client gets metadata: over our transport, or without the network what was verified before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from edgeagent.delivery.errors import MissingError
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import retried
from edgeagent.delivery.repository.transport import Transport
from edgeagent.files.naming import redact


class Fetcher(FetcherInterface):
    """Metadata from the repository.

    Our errors of the transport pass through tuf as they are.

    Attributes:
        last: the file that was asked for last, for messages.
    """

    def __init__(self, transport: Transport, line: ThrottledReader) -> None:
        self._transport = transport
        self._line = line
        self.last = ""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        download = super().download_bytes
        return retried(lambda: download(url, max_length), self._line.patience)

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last = redact(url)
        try:
            answer = self._transport.open(url)
        except MissingError as error:
            raise DownloadHTTPError(str(error), error.status) from error
        yield from self._line.pieces(answer, self.last)


class KnownFetcher(FetcherInterface):
    """The repository as it was when it was verified last: nothing is newer than what is in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        if not url.endswith("/timestamp.json"):
            raise DownloadHTTPError("it is not on this device", 404)
        yield (self._folder / "timestamp.json").read_bytes()
