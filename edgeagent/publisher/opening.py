"""Opening of a publisher's folder for one change, under its lock."""

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
    """Check that a folder is a publisher's folder.

    Raises:
        PublishError: it holds neither served nor staged metadata.
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
    who: str | None = None,
) -> Iterator[Publication]:
    """Open a publisher's folder; after an error the placed targets are removed.

    Args:
        folder: that ``init`` made, or a copy of it.
        secrets: asked for passphrases and PINs.
        keys: URIs of private keys that ``publisher.json`` does not name.
        now: returns the time, UTC.
        signers: opened before, so that no secret is asked for again; None opens new ones.
        wait: whether to wait while another publisher holds the lock.
        who: for the audit log; None is user and host.

    Raises:
        PublishError: it is not a publisher's folder, it is damaged, or another publisher holds the lock.
        SigningKeyError: one of ``keys`` cannot be used.
    """
    check_folder(folder)
    with locked(folder, wait=wait):
        config = read_config(folder)
        if signers is None:
            signers = Signers(config.signers, secrets, keys)
        publication = Publication(folder, config, signers, now)
        publication.who = who or publication.who
        try:
            yield publication
        except BaseException:
            publication.discard()
            raise
