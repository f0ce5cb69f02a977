"""TUF client of a device: the index of a channel, and the files of a release.

::

    trusted root -> root, timestamp, snapshot, targets, <channel> (TUF) -> <channel>/channel.json -> files

The client does not choose a release. A file gets its final name only after it has verified.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from tuf.api import exceptions
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, TargetFile

from edgeagent.bundle.files import check_name
from edgeagent.delivery.errors import RefusedError
from edgeagent.delivery.http.pool import without_login
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.repository.channel import INDEX, MANIFEST, Channel, Release, parse_channel
from edgeagent.delivery.repository.clock import check_offline, check_with_server, utcnow, verified_at
from edgeagent.delivery.repository.download import Download, ignore
from edgeagent.delivery.repository.expiry import expiring
from edgeagent.delivery.repository.fetcher import Fetcher, KnownFetcher
from edgeagent.delivery.repository.http_transport import HttpTransport
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import TransferLimits, never
from edgeagent.delivery.repository.transport import FolderTransport, Transport
from edgeagent.delivery.repository.trust import ExpiredError, Trust, tuf_errors
from edgeagent.errors import BundleError, DeliveryError
from edgeagent.settings.sections.delivery import DeliverySettings

MAX_INDEX = 4 << 20
_LOG = logging.getLogger(__name__)


class Client:
    """Client of one channel of one repository. One thread of one process uses it.

    Args:
        settings: address of the repository, and how it is reached.
        folder: for verified metadata, ``<state>/delivery/metadata``.
        now: clock of this device, UTC.
        limits: time limits and attempts of one fetch.

    Raises:
        DeliveryError: the certificate file or the name of the channel cannot be used.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        folder: Path,
        now: Callable[[], datetime] = utcnow,
        limits: TransferLimits | None = None,
    ) -> None:
        if settings.channel in TOP_LEVEL_ROLE_NAMES:
            raise DeliveryError(
                f"delivery.channel: {settings.channel} is a role of TUF, no channel has that name"
            )
        self._settings = settings
        self._folder = folder
        self._now = now
        limits = limits or TransferLimits()
        self._transport = _transport(settings, limits)
        self._base = without_login(_base_url(settings.repository))  # tuf logs URLs
        self._reader = ThrottledReader(limits, settings.bandwidth)
        self._fetcher = Fetcher(self._transport, self._reader)
        self._trust: Trust | None = None

    def refresh(self) -> Channel:
        """Update the metadata, and return the index of the channel.

        Raises:
            WrongClockError: the clock of this device is wrong.
            UnreachableError: the repository cannot be reached; a later check may work.
            RefusedError: something does not verify; the last verified state stays.
            NoRoomError: the disk is full.
            DeliveryError: trusted root, folder or index cannot be used.
        """
        trust = self._refreshed()
        path = f"{self._settings.channel}/{INDEX}"
        target = self._target(trust, path)
        if target is None:
            raise RefusedError(
                f"{self._base}: no role that may sign {path} does; correct delivery.channel, "
                "or ask who publishes there"
            )
        if target.length > MAX_INDEX:
            raise RefusedError(
                f"{path}: has {target.length} bytes, more than the {MAX_INDEX} allowed; refused"
            )
        self._download(trust, target, self._index_file)
        self._trust = trust
        return self._parsed(self._index_file.read_bytes())

    def known(self) -> Channel | None:
        """Return the index that was verified last, verified again, without the network.

        None where there is none, it has expired, or a newer one was fetched in part: no decision may rest on
        it then.

        Raises:
            DeliveryError: trusted root, folder or index cannot be used.
        """
        try:
            if not (self._folder / "timestamp.json").is_file() or not self._index_file.is_file():
                return None
            content = self._index_file.read_bytes()
        except OSError as error:
            raise DeliveryError(f"{error.filename}: cannot be read ({error.strerror})") from error
        try:
            trust = self._new_trust(KnownFetcher(self._folder))
            trust.refresh()
            target = trust.target(f"{self._settings.channel}/{INDEX}")
            if target is None:
                return None
            target.verify_length_and_hashes(content)
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            _LOG.info("the stored index of channel %s cannot be used: %s", self._settings.channel, error)
            return None
        return self._parsed(content)

    def expiring(self) -> str | None:
        """Return which kept metadata expire soon, as a sentence; None if none do."""
        return expiring(self._folder, self._now())

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Fetch a file of a release, or the rest of it; one that is complete and verifies is left as it is.

        Args:
            release: of the index.
            file: its name in the bundle.
            destination: path on this device; ``NAME.part`` beside it holds the bytes until they verify.
            progress: called with the number of bytes of the file that are on the device.
            cancelled: asked before every piece, several times a second during a transfer.

        Raises:
            CancelledError: ``cancelled`` returned True; the bytes so far stay.
            WrongClockError, UnreachableError, RefusedError, NoRoomError, DeliveryError: see :meth:`refresh`;
                the bytes so far stay after an :class:`UnreachableError`.
        """
        _check_file(release, file)
        path = release.target(self._settings.channel, file)
        if file not in release.files:
            raise RefusedError(f"{path}: the index does not name it; refused")
        if self._trust is None:
            self._trust = self._refreshed()
        target = self._target(self._trust, path)
        if target is None:
            raise RefusedError(f"{path}: no role that may sign it does; refused")
        if target.length != release.files[file]:
            raise RefusedError(
                f"{path}: has {release.files[file]} bytes by the index, {target.length} by signed metadata; "
                "refused"
            )
        if file == MANIFEST and target.hashes.get("sha256") != release.manifest_sha256:
            raise RefusedError(f"{path}: is another manifest than the index says; refused")
        self._download(self._trust, target, destination, progress, cancelled)

    def fetch_agent(
        self,
        release: AgentRelease,
        destination: Path,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Fetch the archive of a version of the agent, or the rest of it.

        Args:
            release: of a verified index, which may be newer than the metadata of this client.
            destination, progress, cancelled: see :meth:`fetch`.

        Raises:
            DeliveryError: see :meth:`fetch`.
        """
        path = release.target(self._settings.channel)
        self._trust = self._refreshed()
        target = self._target(self._trust, path)
        if target is None:
            raise RefusedError(f"{path}: no role that may sign it does; refused")
        if (target.length, target.hashes.get("sha256")) != (release.size, release.sha256):
            raise RefusedError(f"{path}: is another archive than the index says; refused")
        self._download(self._trust, target, destination, progress, cancelled)

    def refresh_metadata(self) -> None:
        """Update and verify the metadata, with the checks of the clock, without reading the index.

        Raises:
            DeliveryError: see :meth:`refresh`.
        """
        self._trust = self._refreshed()

    def fetch_target(self, path: str, destination: Path, size: int | None = None) -> None:
        """Fetch any file of the repository, by the metadata of the last refresh.

        Args:
            path: target path.
            destination: path on this device.
            size: bytes that it must have; None takes any size.

        Raises:
            DeliveryError: see :meth:`fetch`.
        """
        trust = self._trust = self._trust or self._refreshed()
        target = self._target(trust, path)
        if target is None:
            raise RefusedError(f"{path}: no role that may sign it does; refused")
        if size is not None and target.length != size:
            raise RefusedError(
                f"{path}: has {size} bytes by the index, {target.length} by signed metadata; refused"
            )
        self._download(trust, target, destination)

    def server_time(self) -> datetime | None:
        """Return the time of the server, UTC; None before its first response, and for a folder."""
        return self._transport.time()

    @property
    def _index_file(self) -> Path:
        return self._folder / "index" / f"{self._settings.channel}.json"

    def _new_trust(self, fetcher: Fetcher | KnownFetcher) -> Trust:
        return Trust(
            self._settings.root, self._folder, f"{self._base}metadata/", f"{self._base}targets/", fetcher
        )

    def _refreshed(self) -> Trust:
        check_offline(self._now(), verified_at(self._folder))
        trust = self._new_trust(self._fetcher)
        try:
            with tuf_errors(self._fetcher):
                trust.refresh()
        except ExpiredError:
            self._check_clock()
            raise
        self._check_clock()
        return trust

    def _check_clock(self) -> None:
        check_with_server(self._now(), self._transport.time(), urlsplit(self._base).hostname or "")

    def _target(self, trust: Trust, path: str) -> TargetFile | None:
        with tuf_errors(self._fetcher):
            return trust.target(path)

    def _download(
        self,
        trust: Trust,
        target: TargetFile,
        destination: Path,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        download = Download(trust.url(target), target.length, target.hashes, destination)
        download.run(self._transport, self._reader, progress, cancelled)

    def _parsed(self, content: bytes) -> Channel:
        path = f"{self._settings.channel}/{INDEX}"
        channel = parse_channel(content, path)
        if channel.channel != self._settings.channel:
            raise RefusedError(f"{path}: is the index of channel {channel.channel}; refused")
        for release in channel.releases:
            for file in release.files:
                _check_file(release, file)
        return channel


def _check_file(release: Release, file: str) -> None:
    """Refuse a name that leads out of the bundle's folder."""
    try:
        check_name(Path(release.slot), file)
    except BundleError as error:
        raise RefusedError(str(error)) from None


def _base_url(repository: str) -> str:
    """Return the URL of the repository without its query, with a slash at the end."""
    url = repository.partition("?")[0] if "://" in repository else Path(repository).resolve().as_uri()
    return url if url.endswith("/") else f"{url}/"


def _transport(settings: DeliverySettings, limits: TransferLimits) -> Transport:
    if urlsplit(_base_url(settings.repository)).scheme == "file":
        return FolderTransport()
    return HttpTransport(settings.repository, settings.proxy, settings.ca, limits)
