"""Models that passed probation on this board, one file each, from which a lost record is rebuilt.

An entry is written before the record calls the model good, and removed before the record calls it bad.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import NonNegativeInt

from edgeagent.delivery.state.record import Installed, StateDocument
from edgeagent.files.atomic import write_state
from edgeagent.files.durable import make_folder, remove_file
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)


class KnownGoodModel(StateDocument):
    """Model that passed probation here.

    Attributes:
        model: that passed.
        order: number of the entry; the greatest is the newest. It is no time, as the clock may be wrong.
    """

    model: Installed
    order: NonNegativeInt


class KnownGoodModels:
    """Known good models of a board.

    Args:
        folder: of delivery; the entries are in ``good/`` there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "good"

    def add(self, model: Installed) -> None:
        """Add a model as the newest good one.

        Raises:
            EdgeagentError, OSError: it cannot be written.
        """
        make_folder(self._folder)
        newest = max((entry.order for entry in self._all()), default=0)
        entry = KnownGoodModel(model=model, order=newest + 1)
        write_state(self._path(model.slot), entry.model_dump_json().encode())

    def remove(self, slot: str) -> None:
        """Remove a model, if it is there.

        Raises:
            OSError: it cannot be removed.
        """
        remove_file(self._path(slot))

    def models(self) -> list[Installed]:
        """Return the models, newest first."""
        return [entry.model for entry in sorted(self._all(), key=lambda entry: entry.order, reverse=True)]

    def _path(self, slot: str) -> Path:
        return self._folder / f"{slot}.json"

    def _all(self) -> list[KnownGoodModel]:
        entries = []
        for path in self._folder.glob("*.json"):
            try:
                entry = read_json(path, KnownGoodModel)
            except (DamagedJsonError, OSError) as error:
                logger.error("%s: is ignored, it cannot be read (%s)", path, type(error).__name__)
                continue
            if path == self._path(entry.model.slot):
                entries.append(entry)
        return entries
