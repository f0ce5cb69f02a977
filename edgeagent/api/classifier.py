"""A classifier for a program of its own; it is chosen, checked and isolated as a detector is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from edgeagent.api.detector import DetectorSession, open_model
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.engines.engine import EngineFacts
from edgeagent.errors import ConfigurationError, EngineError
from edgeagent.files.resources import find_bundle
from edgeagent.imaging.frame import Image
from edgeagent.vision.classification import Classification
from edgeagent.vision.detections import Detections


class ClassifierSession:
    """An open classifier; made by :func:`open_classifier`, closed by ``with`` or :meth:`close`.

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

    def __call__(self, frame: Image) -> Classification:
        """Classify one frame.

        Args:
            frame: (height, width, 3) uint8, BGR.

        Raises:
            DataError: the frame is no such array.
            EngineError: no delegate works.
        """
        return _class_of(self._session(frame))

    def stream(self, frames: Iterable[Image], in_flight: int = 2) -> Iterator[tuple[Image, Classification]]:
        """Classify frames as they come, several in flight; see :meth:`DetectorSession.stream`."""
        for frame, found in self._session.stream(frames, in_flight):
            yield frame, _class_of(found)

    def close(self) -> None:
        """Stop the worker; does nothing when it is closed already."""
        self._session.close()

    def __enter__(self) -> ClassifierSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(find_bundle(bundle))
    manifest = opened.manifest
    if manifest.task != "classification":
        raise ConfigurationError(
            f"open_classifier needs a classifier, {manifest.name} is a model for {manifest.task}; "
            "docs/tasks.md says how each task is opened"
        )
    return ClassifierSession(
        open_model(opened, engine=engine, threads=threads, isolated=isolated, state=state)
    )


def _class_of(found: Detections) -> Classification:
    if found.classification is None:
        raise EngineError("the model gives no class of a picture")
    return found.classification
