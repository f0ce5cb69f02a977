"""Opening a publisher's folder for one change, with the lock held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.places import STAGED, locked, metadata_folder
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.signers import Signers, read_config


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no publisher's.

    Raises:
        PublishError: there is neither served nor staged metadata.
    """
    if (
        not (metadata_folder(folder) / "1.root.json").exists()
        and not (folder / STAGED / "root.json").exists()
    ):
        raise PublishError(
            f"{folder}: holds no repository/metadata/1.root.json; make one with `edgeagent publish init`, or "
            "name the folder with --repository"
        )


@contextmanager
def opened(
    folder: Path,
    secrets: Secrets,
    keys: Iterable[str] = (),
    *,
    now: Callable[[], datetime] = utcnow,
    signers: Signers | None = None,
    wait: bool = False,
) -> Iterator[Publication]:
    """Open a publisher's folder; after an error nothing of what was placed stays.

    Args:
        folder: that ``init`` made, or a copy of it.
        secrets: asked for passphrases and PINs.
        keys: URIs of private keys that ``publisher.json`` does not name.
        now: the time in UTC.
        signers: opened before, so that nobody is asked again.
        wait: for another publisher to finish.

    Raises:
        PublishError: it is no such folder, it is damaged, or another publisher works on it.
        SigningKeyError: one of ``keys`` cannot be used.
    """
    check_folder(folder)
    with locked(folder, wait=wait):
        config = read_config(folder)
        if signers is None:
            signers = Signers(config.signers, secrets)
        for uri in keys:
            signers.lend(uri)
        publication = Publication(folder, config, signers, now)
        try:
            yield publication
        except BaseException:
            publication.discard()
            raise
