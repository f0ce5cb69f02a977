"""Fetchers of metadata for tuf's client: over the transport, or the stored metadata without the network."""

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
    """Fetcher of metadata from the repository; errors of the transport pass through tuf unchanged.

    Args:
        transport: opens the URLs.
        reader: reads the responses at a limited speed.

    Attributes:
        last: URL that was requested last, without credentials, for messages.
    """

    def __init__(self, transport: Transport, reader: ThrottledReader) -> None:
        self._transport = transport
        self._reader = reader
        self.last = ""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return a file of at most ``max_length`` bytes, after several attempts if needed."""
        download = super().download_bytes
        return retried(lambda: download(url, max_length), self._reader.limits)

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last = redact(url)
        try:
            response = self._transport.open(url)
        except MissingError as error:
            raise DownloadHTTPError(str(error), error.status) from error
        yield from self._reader.pieces(response, self.last)


class KnownFetcher(FetcherInterface):
    """Fetcher of the metadata that were verified last: nothing is newer than what is in the folder.

    Args:
        folder: of the verified metadata.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        if not url.endswith("/timestamp.json"):
            raise DownloadHTTPError("it is not on this device", 404)
        yield (self._folder / "timestamp.json").read_bytes()
