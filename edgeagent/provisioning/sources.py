"""Provisioning file of this board among those on a medium: by facts, by name, or as the only one there."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.files.naming import printable
from edgeagent.provisioning.document import SUFFIX, Provision, read_provision, unreadable
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.identity import BoardIdentity

logger = logging.getLogger(__name__)

PLACES = ("boot/firmware", "boot", "boot/efi", "media/*", "media/*/*", "run/media/*/*", "mnt")
"""Where ``apply --search`` looks: boot partitions, then mounted media, as edgeagent-provision.service."""
_SUBFOLDER = "edgeagent"


@dataclass(frozen=True)
class FoundProvision:
    """Provisioning file of this board.

    Attributes:
        path: of the file.
        provision: its content.
    """

    path: Path
    provision: Provision


def find_provision(place: Path, identity: BoardIdentity, *, any_board: bool = False) -> FoundProvision:
    """Return the provisioning file of this board.

    Args:
        place: the file, or a folder with those of any number of boards, itself or in ``edgeagent``.
        identity: of this board.
        any_board: take a file although it is for a board with other facts; only with a file.

    Raises:
        ProvisioningError: there is none, several fit, the one is damaged or cannot be read, or it is for
            another board.
    """
    try:
        files = _files(place) if place.is_dir() else None
        if files is None:
            place.stat()
    except OSError as error:
        raise unreadable(place, error) from None
    if files is not None:
        return _choose(place, files, identity)
    provision = read_provision(place)
    if not any_board and not identity.fits(provision.board):
        asked = "; ".join(f"{name} {value}" for name, value in provision.board.given().items())
        raise ProvisioningError(
            f"{printable(place)}: is for another board ({asked}); this one has {identity} (--any-board takes "
            "it nevertheless)"
        )
    return FoundProvision(place, provision)


def search_provision(identity: BoardIdentity, root: Path = Path("/")) -> FoundProvision:
    """Return the provisioning file of this board on its boot partition or a mounted medium.

    Raises:
        ProvisioningError: see :func:`find_provision`; the first problem, where no place has a file that fits.
    """
    problems: list[ProvisioningError] = []
    for place in (folder for pattern in PLACES for folder in sorted(root.glob(pattern))):
        try:
            if place.is_dir() and (files := _files(place)):
                return _choose(place, files, identity)
        except ProvisioningError as error:
            problems.append(error)
        except OSError as error:
            problems.append(unreadable(place, error))
    raise (
        problems[0]
        if problems
        else ProvisioningError(
            f"no provisioning file (*{SUFFIX}) on the boot partition or a mounted medium: {', '.join(PLACES)}"
        )
    )


def _files(folder: Path) -> list[Path]:
    """Return the provisioning files of a folder; hidden ones belong to other systems."""
    return [path for path in _listed(folder) if path.name.endswith(SUFFIX) and not path.name.startswith(".")]


def _listed(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir())
    inner = folder / _SUBFOLDER
    if inner.is_dir():
        yield from sorted(inner.iterdir())


def _choose(place: Path, files: Sequence[Path], identity: BoardIdentity) -> FoundProvision:
    found, damaged = [], []
    for path in files:
        try:
            found.append(FoundProvision(path, read_provision(path)))
        except ProvisioningError as error:
            damaged.append(error)
    by_facts = [one for one in found if one.provision.board.given() and identity.fits(one.provision.board)]
    unasked = [one for one in found if not one.provision.board.given()]
    by_name = [one for one in unasked if _same(one.provision.device, identity.host_name)]
    only = unasked if len(files) == 1 else []
    chosen = next((some for some in (by_facts, by_name, only) if some), [])
    if len(chosen) > 1:
        names = ", ".join(printable(one.path.name) for one in chosen)
        raise ProvisioningError(f"{printable(place)}: several files are for this board: {names}; name one")
    if chosen:
        for problem in damaged:
            logger.warning("%s", problem)
        return chosen[0]
    if damaged:
        raise damaged[0]
    if not files:
        raise ProvisioningError(f"{printable(place)}: no provisioning file (*{SUFFIX}) there")
    raise ProvisioningError(
        f"{printable(place)}: none of {len(files)} provisioning files is for this board ({identity}); give "
        "the table a column serial, mac or machine_id, or name the file"
    )


def _same(device: str, host_name: str | None) -> bool:
    return host_name is not None and device.lower() == host_name.partition(".")[0].lower()
