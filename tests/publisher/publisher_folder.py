"""A publisher's folder with real keys, and devices that fetch from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.ngclient import Updater

from edgeagent.delivery.repository.channel import Channel, parse_channel
from edgeagent.delivery.repository.clock import utcnow
from edgeagent.delivery.repository.fetcher import Fetcher
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.delivery.repository.transport import FolderTransport
from edgeagent.publisher.keys import public_pem
from edgeagent.publisher.opening import opened
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.places import metadata_folder
from edgeagent.publisher.release import add_bundle
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.roles import ROLES, KeyFolders, init
from edgeagent.publisher.signers import Signers, read_config
from tests.bundle import tiny

PASSPHRASE = "correct horse battery"


def plain_key(path: Path) -> str:
    """Write a key pair, the private half not encrypted, which is quick to open; return its URI."""
    signer = CryptoSigner.generate_ed25519()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(signer.private_bytes)
    path.with_suffix(".pub").write_bytes(public_pem(signer.public_key))
    return f"file2:{path}"


class PublisherFolder:
    """A publisher's folder with four keys.

    Args:
        folder: for it; ``keys`` are made beside it.
        thresholds: other than 1.
        given: keys other than one plain file for each role.
    """

    def __init__(
        self,
        folder: Path,
        thresholds: Mapping[str, int] | None = None,
        given: Mapping[str, list[str]] | None = None,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self.folder, self.keys = folder, folder.parent / f"{folder.name}-keys"
        self.secrets = Secrets()
        named = {role: [plain_key(self.keys / f"{role}.pem")] for role in ROLES if role not in (given or {})}
        self.served = init(
            folder,
            KeyFolders.below(self.keys),
            self.secrets,
            {**named, **(given or {})},
            thresholds or {},
            {},
            now,
        )

    def signers(self, *keys: str) -> Signers:
        """Return its signers, and those of other keys."""
        return Signers(read_config(self.folder).signers, self.secrets, keys)

    @contextmanager
    def opened(self, *keys: str, now: Callable[[], datetime] = utcnow) -> Iterator[Publication]:
        """Open it for a change."""
        with opened(self.folder, self.secrets, keys, now=now) as publication:
            yield publication

    def change(self, change: Callable[[Publication], Any], *keys: str) -> bool:
        """Make a change and publish it."""
        with self.opened(*keys) as publication:
            change(publication)
            return publication.publish()

    def add(self, bundle: Path, channel: str = "stable", *keys: str, **policy: Any) -> bool:
        """Add a bundle for any board."""
        return self.change(lambda p: add_bundle(p, bundle, channel, ["any"], policy), *keys)

    def root(self, version: int = 1) -> bytes:
        """Return a version of root."""
        return (metadata_folder(self.folder) / f"{version}.root.json").read_bytes()

    def files(self) -> dict[str, bytes]:
        """Return everything that is served."""
        base = self.folder / "repository"
        return {str(p.relative_to(base)): p.read_bytes() for p in sorted(base.rglob("*")) if p.is_file()}


class Device:
    """A client of the library, with a cache of its own, which may live for many fetches.

    Args:
        cache: for what it remembers.
        root: that it trusts.
    """

    def __init__(self, cache: Path, root: bytes) -> None:
        cache.mkdir()
        self._cache, self._root = cache, root

    def fetch(self, place: Path | str, path: str = "stable/channel.json") -> bytes | None:
        """Take the newest metadata and return a target; None where no key signed for one.

        Args:
            place: the publisher's folder, or the address of what is served.
            path: of the target.
        """
        base = (place / "repository").as_uri() if isinstance(place, Path) else place
        updater = Updater(
            str(self._cache),
            f"{base}/metadata",
            str(self._cache),
            f"{base}/targets",
            Fetcher(FolderTransport(), ThrottledReader(TransferLimits(), None))
            if isinstance(place, Path)
            else None,
            bootstrap=self._root,
        )
        updater.refresh()
        target = updater.get_targetinfo(path)
        return None if target is None else Path(updater.download_target(target)).read_bytes()

    def index(self, place: Path | str, channel: str = "stable") -> Channel:
        """Return the index of a channel."""
        content = self.fetch(place, f"{channel}/channel.json")
        assert content is not None
        return parse_channel(content, "index")


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder as ``python -m http.server`` does, and yield its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def bundle(folder: Path, version: str = "1.2.3", **changes: Any) -> Path:
    """Write a tiny bundle and return where it lies."""
    return tiny.build(folder / f"tiny-{version}", version=version, **changes).directory
