"""Removal of versions, archives and unfinished environments of the agent that nothing needs any more.

What cannot be removed stays, and is tried again with the next update.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.launcher.record import GOOD, PARTIAL, VERSIONS, read_agent_record


def prune(folder: Path, *needed: str, target: str | None = None) -> None:
    """Remove what neither the record nor the update needs.

    Args:
        folder: of the agent's versions.
        needed: slots that stay, beside those of the record.
        target: slot that is being brought, whose archive stays.
    """
    try:
        record = read_agent_record(folder)
    except EdgeagentError:
        return
    kept = {one.slot for one in (record.current, record.previous, record.trial) if one is not None}
    kept |= set(needed)
    for path in (*_entries(folder / VERSIONS), *_entries(folder / GOOD)):
        if path.name.removesuffix(".json") not in kept:
            _remove(path)
    for path in _entries(folder / PARTIAL):
        if target is None or path.name.removesuffix(".part").removesuffix(".zip") != target:
            _remove(path)


def remove_unfinished(folder: Path, *, everything: bool) -> None:
    """Remove environments that are not complete, and with ``everything`` also archives."""
    for path in _entries(folder / PARTIAL):
        if everything or path.name.endswith(".env"):
            _remove(path)


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
