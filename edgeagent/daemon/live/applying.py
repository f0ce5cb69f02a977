"""Application of changed settings to the running agent: all parts follow between two frames, or none.

::

    prepare all parts -> hold frames, commit all parts, go on -> stop what is gone, start what is new
         | fails                    | fails                              | fails
         v                          v                                    v
    nothing changed            the change back, by the same steps; the error is raised
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from edgeagent.daemon.live.part import LivePart
from edgeagent.detection.pipeline import Pipeline
from edgeagent.errors import EdgeagentError
from edgeagent.settings.live.comparison import SettingsChange

logger = logging.getLogger(__name__)


class Applying:
    """Makes parts follow changed settings; its owner calls it for one change at a time.

    Args:
        pipeline: whose frames are held meanwhile.
        parts: in the order in which they follow.
    """

    def __init__(self, pipeline: Pipeline, parts: Sequence[LivePart]) -> None:
        self._pipeline, self._parts = pipeline, tuple(parts)

    def apply(self, change: SettingsChange) -> None:
        """Make all parts follow.

        Raises:
            EdgeagentError: one cannot; all run with the settings before.
        """
        try:
            self._follow(change)
        except EdgeagentError:
            raise
        except Exception as error:
            logger.exception("changed settings cannot be applied; report this as a bug of edgeagent")
            raise EdgeagentError(f"it failed by an error of the agent: {error!r}") from error

    def _follow(self, change: SettingsChange) -> None:
        steps = [step for part in self._parts if (step := part.prepare(change)) is not None]
        try:
            with self._pipeline.between_frames():
                for step in steps:
                    step.commit()
            for step in steps:
                step.after()
        except Exception:
            self._go_back(change.back)
            raise

    def _go_back(self, change: SettingsChange) -> None:
        """Make all parts follow the settings before, also those that had not followed yet."""
        logger.error("the settings before are applied again")
        steps = [step for part in self._parts if (step := part.prepare(change)) is not None]
        with self._pipeline.between_frames():
            for step in steps:
                step.commit()
        for step in steps:
            step.after()
