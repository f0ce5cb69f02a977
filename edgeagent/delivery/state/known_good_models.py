"""Which models have been good on this board: one file each, outside of the slots, which never change.

The record says the same, and more; the marks are what it is rebuilt from when it is lost. A mark is written
when probation is passed, before the record says so, and removed before the record says that the model is bad.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import NonNegativeInt, ValidationError

from edgeagent.delivery.state.record import Installed, Remembered
from edgeagent.files.atomic import write_state
from edgeagent.files.durable import make_folder, remove_file

logger = logging.getLogger(__name__)


class KnownGoodModel(Remembered):
    """A model that passed probation here.

    Attributes:
        model: which.
        order: of the marks; the greatest is the newest. A clock may be wrong.
    """

    model: Installed
    order: NonNegativeInt


class KnownGoodModels:
    """All marks of a board.

    Args:
        folder: of delivery; the marks are in ``good/`` there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "good"

    def add(self, model: Installed) -> None:
        """Mark a model as the newest good one.

        Raises:
            EdgeagentError, OSError: it cannot be written.
        """
        make_folder(self._folder)
        newest = max((mark.order for mark in self._all()), default=0)
        mark = KnownGoodModel(model=model, order=newest + 1)
        write_state(self._path(model.slot), mark.model_dump_json().encode())

    def remove(self, slot: str) -> None:
        """Take a mark away; there may be none.

        Raises:
            OSError: it cannot be removed.
        """
        remove_file(self._path(slot))

    def models(self) -> list[Installed]:
        """Return the marked models, the newest first."""
        return [mark.model for mark in sorted(self._all(), key=lambda mark: mark.order, reverse=True)]

    def _path(self, slot: str) -> Path:
        return self._folder / f"{slot}.json"

    def _all(self) -> list[KnownGoodModel]:
        marks = []
        for path in self._folder.glob("*.json"):
            try:
                mark = KnownGoodModel.model_validate_json(path.read_bytes())
            except (ValidationError, OSError) as error:
                logger.error("%s: is left out, it cannot be read (%s)", path, type(error).__name__)
                continue
            if path == self._path(mark.model.slot):
                marks.append(mark)
        return marks
