"""A classifier for a program of its own; it is chosen, checked and isolated as a detector is."""

from __future__ import annotations

from pathlib import Path

from edgeagent.api.task_session import TaskSession, open_task
from edgeagent.bundle.reading import Bundle
from edgeagent.errors import EngineError
from edgeagent.vision.classification import Classification
from edgeagent.vision.detections import Detections


class ClassifierSession(TaskSession[Classification]):
    """An open classifier; made by :func:`open_classifier`. A frame gives its class with the scores of all."""

    def _result(self, found: Detections) -> Classification:
        if found.classification is None:
            raise EngineError("the model gives no class of a picture")
        return found.classification


def open_classifier(
    bundle: str | Path | Bundle,
    *,
    engine: str = "auto",
    threads: int = 0,
    isolated: bool = True,
    state: str | Path | None = None,
) -> ClassifierSession:
    """Open a classifier on the fastest delegate of this machine that computes what was trained.

    Arguments and errors are those of :func:`edgeagent.api.detector.open_model`.

    Raises:
        ConfigurationError: the bundle is one of another task.
    """
    session = open_task(
        bundle,
        "classification",
        what="open_classifier needs a classifier",
        engine=engine,
        threads=threads,
        isolated=isolated,
        state=state,
    )
    return ClassifierSession(session)
