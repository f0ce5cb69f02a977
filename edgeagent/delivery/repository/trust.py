"""Verified metadata of a repository: tuf's client, with typed errors.

The workflow is that of the TUF specification, section 5 (https://theupdateframework.github.io/specification);
``tuf.ngclient`` implements it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater

from edgeagent.delivery.errors import MissingError, RefusedError, storage_errors
from edgeagent.delivery.repository.clock import shown, utcnow
from edgeagent.delivery.repository.fetcher import Fetcher
from edgeagent.errors import DeliveryError
from edgeagent.files.atomic import sync

_HASHES = {"sha256": 64, "sha512": 128}
"""Accepted hash algorithms, with the number of hexadecimal digits of a digest."""


class ExpiredError(RefusedError):
    """Metadata have expired: the repository is not refreshed, or newer ones are held back (freeze attack)."""


class Trust:
    """Verified metadata of a repository.

    Args:
        root: file with the trusted root metadata.
        folder: for verified metadata, which protect from older ones (rollback attack).
        metadata, targets: URLs of the two parts of the repository, each with a slash at the end.
        fetcher: fetches the metadata.

    Raises:
        DeliveryError: the root cannot be read or is not root metadata, or the folder cannot be written.
    """

    def __init__(
        self, root: Path, folder: Path, metadata: str, targets: str, fetcher: FetcherInterface
    ) -> None:
        self._folder = folder
        self._targets = targets
        self._settled: dict[Path, int] = {}
        try:
            trusted = root.read_bytes()
        except OSError as error:
            raise DeliveryError(
                f"{root}: the trusted root cannot be read ({error.strerror}); copy 1.root.json of the "
                "repository there"
            ) from None
        with storage_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in folder.glob("tmp*"):  # of an interrupted write
                left.unlink()
            try:
                self._updater = Updater(str(folder), metadata, fetcher=fetcher, bootstrap=trusted)
            except exceptions.RepositoryError as error:
                raise DeliveryError(
                    f"{root}: is not trusted root metadata ({error}); copy 1.root.json of the "
                    "repository there"
                ) from None

    def refresh(self) -> None:
        """Update the top-level metadata.

        Raises:
            exceptions.RepositoryError, exceptions.DownloadError: see :func:`tuf_errors`.
        """
        with storage_errors(self._folder):
            self._updater.refresh()
            self._settle()

    def target(self, path: str) -> TargetFile | None:
        """Return the signed length and hashes of a file; None where no role that may sign it has.

        Args:
            path: target path of the file.

        Raises:
            RefusedError: a hash is not of an accepted algorithm.
            exceptions.RepositoryError, exceptions.DownloadError: see :func:`tuf_errors`.
        """
        with storage_errors(self._folder):
            target = self._updater.get_targetinfo(path)
            self._settle()
        for name, digest in target.hashes.items() if target else ():
            if not re.fullmatch(f"[0-9a-f]{{{_HASHES.get(name, 0)}}}", digest):
                raise RefusedError(f"{path}: signed metadata give {digest[:20]!r} as its {name}; refused")
        return target

    def url(self, target: TargetFile) -> str:
        """Return the URL of a file; with consistent snapshots its name begins with its hash."""
        root = Metadata[Root].from_file(str(self._folder / "root.json")).signed
        path = target.get_prefixed_paths()[0] if root.consistent_snapshot else target.path
        return self._targets + quote(path)

    def _settle(self) -> None:
        """Bring new metadata to the disk: a power cut must not make older ones acceptable again."""
        written = {path: path.stat().st_mtime_ns for path in self._folder.rglob("*.json")}
        new = [path for path, time in written.items() if self._settled.get(path) != time]
        for path in new:
            sync(path)
        for folder in {path.parent for path in new}:
            sync(folder)
        self._settled = written


@contextmanager
def tuf_errors(fetcher: Fetcher) -> Iterator[None]:
    """Turn tuf's errors into those of delivery, which name the refused file.

    Raises:
        ExpiredError: metadata have expired.
        RefusedError: metadata do not verify.
        MissingError: the repository does not have them.
    """
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        raise ExpiredError(
            f"{fetcher.last}: refused, {error}: the repository is not refreshed, or newer metadata are held "
            f"back; the clock of this device shows {shown(utcnow())}"
        ) from error
    except exceptions.UnsignedMetadataError as error:
        raise RefusedError(
            f"{fetcher.last}: refused, {error}: too few signatures of keys that this device trusts for it; "
            "after a change of keys every step of the root metadata must be in the repository"
        ) from error
    except exceptions.BadVersionNumberError as error:
        raise RefusedError(
            f"{fetcher.last}: refused, {error}: older than what this device has seen, or not the version "
            "that belongs with the other metadata"
        ) from error
    except exceptions.LengthOrHashMismatchError as error:
        raise RefusedError(
            f"{fetcher.last}: refused, {error}: it was changed, or does not belong with the other metadata"
        ) from error
    except exceptions.DownloadLengthMismatchError as error:
        raise RefusedError(
            f"{fetcher.last}: refused, it does not end where it may at most: {error}"
        ) from error
    except DeserializationError as error:
        raise RefusedError(f"{fetcher.last}: refused, it is not metadata of TUF ({error})") from error
    except exceptions.RepositoryError as error:
        raise RefusedError(f"{fetcher.last}: refused, {error}") from error
    except exceptions.DownloadHTTPError as error:
        raise MissingError(
            f"{error}; the repository is not complete, or has another address", error.status_code
        ) from error
