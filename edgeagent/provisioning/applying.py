"""Application of a provisioning file on a board, so that a crash leaves the old configuration or the new one.

::

    checked -> provisioned/ID/* -> edgeagent.yaml.new, read as the agent does -> record: applying
            -> rename to edgeagent.yaml (the switch) -> record: applied -> older folders, source removed

Passwords, certificates and root lie in a folder of their own for each provisioning file, to which only its
own ``edgeagent.yaml`` refers; so the rename of that one file switches all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edgeagent.errors import ConfigurationError, DeliveryError
from edgeagent.files.atomic import sync
from edgeagent.files.durable import remove_file, remove_folder
from edgeagent.files.folder_lock import FolderLock, LockedError
from edgeagent.files.naming import printable
from edgeagent.files.resources import included_configuration
from edgeagent.provisioning.checks import check_configuration
from edgeagent.provisioning.document import FOLDER, Provision
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.owned_files import PRIVATE, Ownership
from edgeagent.provisioning.record import (
    ProvisioningEntry,
    ProvisioningRecord,
    read_provisioning_record,
    write_provisioning_record,
)
from edgeagent.provisioning.sources import FoundProvision
from edgeagent.version import __version__

logger = logging.getLogger(__name__)

CONFIGURATION = "edgeagent.yaml"
BEFORE = f"{CONFIGURATION}.before"
"""Edited configuration that ``--replace`` replaced."""


@dataclass(frozen=True)
class ApplyOptions:
    """Options of an application.

    Attributes:
        replace: replace a configuration that somebody edited, too.
        keep: leave the source on its medium, readable for its owner only.
        ownership: of the written files.
        now: returns the time, UTC.
    """

    replace: bool = False
    keep: bool = False
    ownership: Ownership = PRIVATE
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)


@dataclass(frozen=True)
class Application:
    """Result of an application.

    Attributes:
        changed: whether the configuration is another one than before.
        source: what became of the source: ``removed``, ``kept``, or why it could not be removed or protected.
    """

    changed: bool
    source: str


def apply_provision(found: FoundProvision, folder: Path, options: ApplyOptions) -> Application:
    """Write the configuration of a board; one that is applied already is left as it is.

    Args:
        found: provisioning file.
        folder: of the configuration, ``/etc/edgeagent``; made as needed.
        options: of the application.

    Raises:
        ProvisioningError: the configuration was edited by hand, another provisioning is running, the disk is
            full or read-only, or this user may not write there. The old configuration is as it was.
        ConfigurationError: the new configuration or one of its files is unusable; nothing has changed.
    """
    try:
        options.ownership.make_folder(folder) if not folder.is_dir() else None
        lock = FolderLock(folder)
    except LockedError:
        raise ProvisioningError(f"{folder}: another `edgeagent provision apply` is running") from None
    except DeliveryError as error:
        raise ProvisioningError(str(error)) from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        changed = _apply(found, folder, options)
    except OSError as error:
        raise _unwritable(folder, error) from None
    finally:
        lock.release()
    return Application(changed, _protect_source(found.path) if options.keep else _remove_source(found.path))


def is_applied(provision: Provision, folder: Path) -> bool:
    """Return whether the configuration folder holds exactly what a provisioning file has.

    Raises:
        OSError: a file cannot be read.
    """
    wanted = {folder / provision.folder / name: file.text for name, file in provision.files.items()}
    wanted[folder / CONFIGURATION] = provision.configuration
    return all(path.is_file() and path.read_bytes() == text.encode() for path, text in wanted.items())


def _apply(found: FoundProvision, folder: Path, options: ApplyOptions) -> bool:
    provision, configuration = found.provision, folder / CONFIGURATION
    record = read_provisioning_record(folder)
    content = provision.configuration.encode()
    entry = ProvisioningEntry(
        id=provision.id,
        device=provision.device,
        file=printable(found.path.name),
        made=provision.made,
        applied=options.now(),
        version=__version__,
        configuration_sha256=hashlib.sha256(content).hexdigest(),
        files=tuple(provision.files),
    )
    changed = not is_applied(provision, folder)
    if changed:
        old = configuration.read_bytes() if configuration.exists() else None
        edited = old is not None and not _may_be_replaced(old, record)
        if edited and not options.replace:
            raise ProvisioningError(
                f"{configuration}: was edited by hand, and is left as it is; --replace replaces it, and "
                f"keeps it as {BEFORE}"
            )
        try:
            _stage(provision, folder, options.ownership)
            write_provisioning_record(
                folder, record.model_copy(update={"applying": entry}), options.ownership
            )
            if edited and old is not None:
                _keep_earlier(folder, old)
                options.ownership.write(folder / BEFORE, old)
            _staged(folder).replace(configuration)
        except (ConfigurationError, OSError):
            _discard(provision, folder)
            raise
        sync(folder)
    if changed or record.applied is None or record.applied.id != provision.id or record.applying is not None:
        write_provisioning_record(folder, ProvisioningRecord(applied=entry), options.ownership)
    _remove_older(folder)
    return changed


def _keep_earlier(folder: Path, old: bytes) -> None:
    """Give a configuration that an earlier application kept a number, so that none is lost.

    The same one was kept by an application that was interrupted.
    """
    if (folder / BEFORE).is_file() and (folder / BEFORE).read_bytes() != old:
        number = next(n for n in itertools.count(1) if not (folder / f"{BEFORE}.{n}").exists())
        (folder / BEFORE).rename(folder / f"{BEFORE}.{number}")


def _may_be_replaced(old: bytes, record: ProvisioningRecord) -> bool:
    """Return whether nobody has edited a configuration: it is the package's, or that of a provisioning."""
    return old == included_configuration().read_bytes() or record.wrote(hashlib.sha256(old).hexdigest())


def _staged(folder: Path) -> Path:
    return folder / f"{CONFIGURATION}.new"


def _stage(provision: Provision, folder: Path, ownership: Ownership) -> None:
    """Write the files of a provision, and its configuration beside the one that is used; check them."""
    files = folder / provision.folder
    ownership.make_folder(files.parent)
    ownership.make_folder(files)
    for name, file in provision.files.items():
        ownership.write(files / name, file.text.encode())
    ownership.stage(_staged(folder), provision.configuration.encode())
    try:
        check_configuration(_staged(folder))
    except ConfigurationError as error:
        text = str(error).replace(f"{_staged(folder)}", f"{CONFIGURATION} of {provision.device}")
        raise ProvisioningError(f"{text}\nnothing was changed") from None


def _discard(provision: Provision, folder: Path) -> None:
    """Remove what was staged; what cannot be removed does no harm, as nothing refers to it."""
    with suppress(OSError):
        _staged(folder).unlink(missing_ok=True)
    with suppress(OSError):
        if not _is_used(folder / provision.folder, folder):
            shutil.rmtree(folder / provision.folder)


def _is_used(files: Path, folder: Path) -> bool:
    """Return whether a configuration of the folder refers to a folder of files."""
    name = f"{FOLDER}/{files.name}/".encode()
    configurations = (folder / CONFIGURATION, *folder.glob(f"{BEFORE}*"))
    return any(path.is_file() and name in path.read_bytes() for path in configurations)


def _remove_older(folder: Path) -> None:
    """Remove folders of files to which no configuration refers any more."""
    parent = folder / FOLDER
    for files in sorted(parent.iterdir()) if parent.is_dir() else ():
        ours = re.fullmatch(r"[0-9a-f]{12}", files.name) is not None
        if ours and files.is_dir() and not files.is_symlink() and not _is_used(files, folder):
            remove_folder(files)


def _remove_source(source: Path) -> str:
    """Remove a provisioning file from its medium; that it cannot be removed does not undo the application."""
    try:
        target = source.resolve()
        remove_file(source)
        if target != source:
            target.unlink(missing_ok=True)  # what a link leads to holds the secrets
    except OSError as error:
        return f"cannot be removed ({error.strerror}); it holds secrets: delete it, or keep the medium safe"
    return "removed"


def _protect_source(source: Path) -> str:
    """Make a provisioning file readable for its owner only, where its file system knows owners."""
    try:
        source.chmod(0o600)
        mode = source.stat().st_mode
    except OSError as error:
        return f"kept, and cannot be protected ({error.strerror}); it holds secrets: keep the medium safe"
    if mode & 0o077:
        return "kept, readable for everybody on this file system; it holds secrets: keep the medium safe"
    return "kept, readable for its owner only"


def _unwritable(folder: Path, error: OSError) -> ProvisioningError:
    place = error.filename or folder
    advice = "; run it as root: sudo edgeagent provision apply" if os.geteuid() != 0 else ""
    return ProvisioningError(
        f"{place}: cannot be read or written ({error.strerror}); the configuration is as it was{advice}"
    )
