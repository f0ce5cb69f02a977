"""What the sessions of tasks without objects share: one result for the whole picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from typing_extensions import Self

from edgeagent.api.detector import DetectorSession, open_model
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.bundle.task import Task
from edgeagent.engines.engine import EngineFacts
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import find_bundle
from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections

Found = TypeVar("Found")


class TaskSession(ABC, Generic[Found]):
    """An open model that gives one result for a picture; closed by ``with`` or :meth:`close`.

    Use it from one thread.

    Args:
        session: open model.

    Attributes:
        labels: names of the classes, by class index.
    """

    def __init__(self, session: DetectorSession) -> None:
        self._session, self.labels = session, session.labels

    @property
    def facts(self) -> EngineFacts:
        """Facts of the engine that serves: engine, version, delegate, threads."""
        return self._session.facts

    def __call__(self, frame: Image) -> Found:
        """Return the result of one frame.

        Args:
            frame: (height, width, 3) uint8, BGR.

        Raises:
            DataError: the frame is no such array.
            EngineError: no delegate works.
        """
        return self._result(self._session(frame))

    def stream(self, frames: Iterable[Image], in_flight: int = 2) -> Iterator[tuple[Image, Found]]:
        """Give each frame with its result, several in flight; see :meth:`DetectorSession.stream`."""
        for frame, found in self._session.stream(frames, in_flight):
            yield frame, self._result(found)

    def close(self) -> None:
        """Stop the worker; does nothing when it is closed already."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _result(self, found: Detections) -> Found:
        """Return what the decoder of the task has found.

        Raises:
            EngineError: it has found nothing.
        """


def open_task(
    bundle: str | Path | Bundle,
    task: Task,
    *,
    what: str,
    engine: str,
    threads: int,
    isolated: bool,
    state: str | Path | None,
) -> DetectorSession:
    """Open a model of a task; further arguments and errors as :func:`edgeagent.api.detector.open_model`.

    Args:
        bundle: of the model.
        task: that it must have.
        what: who needs which model, as the beginning of a sentence.
        engine: see :func:`edgeagent.api.detector.open_model`, and so on.
        threads: as there.
        isolated: as there.
        state: as there.

    Raises:
        ConfigurationError: the bundle is one of another task.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(find_bundle(bundle))
    manifest = opened.manifest
    if manifest.task != task:
        raise ConfigurationError(
            f"{what}, {manifest.name} is a model for {manifest.task}; "
            "docs/tasks.md says how each task is opened"
        )
    return open_model(opened, engine=engine, threads=threads, isolated=isolated, state=state)
