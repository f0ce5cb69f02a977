"""A segmenter for a program of its own; it is chosen, checked and isolated as a detector is."""

from __future__ import annotations

from pathlib import Path

from edgeagent.api.task_session import TaskSession, open_task
from edgeagent.bundle.reading import Bundle
from edgeagent.errors import EngineError
from edgeagent.vision.class_map import ClassMap
from edgeagent.vision.detections import Detections


class SegmenterSession(TaskSession[ClassMap]):
    """An open segmenter; made by :func:`open_segmenter`. A frame gives the class of each pixel."""

    def _result(self, found: Detections) -> ClassMap:
        if found.class_map is None:
            raise EngineError("the model gives no classes of pixels")
        return found.class_map


def open_segmenter(
    bundle: str | Path | Bundle,
    *,
    engine: str = "auto",
    threads: int = 0,
    isolated: bool = True,
    state: str | Path | None = None,
) -> SegmenterSession:
    """Open a segmenter on the fastest delegate of this machine that computes what was trained.

    Arguments and errors are those of :func:`edgeagent.api.detector.open_model`.

    Raises:
        ConfigurationError: the bundle is one of another task.
    """
    session = open_task(
        bundle,
        "segmentation",
        what="open_segmenter needs a segmenter",
        engine=engine,
        threads=threads,
        isolated=isolated,
        state=state,
    )
    return SegmenterSession(session)
