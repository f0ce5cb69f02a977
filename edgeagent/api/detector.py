"""A detector for a program of its own.

::

    open_detector -> bundle verified -> delegates tried, checked, ranked -> worker with the fastest right one
    frame -> preprocess -> engine (own process, deadline) -> decode -> Detections
                              | crash, hang, wrong outputs
                              v
                     next right delegate; the frame is repeated there

With ``isolated=False`` the engine runs in this process: no check, no deadline and no fallback, for
comparisons with the bare engine.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.bundle.task import require_objects
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.detectors import Detectors, OneDetector
from edgeagent.detection.ranking import rank_delegates
from edgeagent.detection.serving import ServingDetector
from edgeagent.engines.engine import Buffers, Call, EngineFacts
from edgeagent.engines.loading import CHOICES
from edgeagent.errors import ConfigurationError, DataError, EngineError
from edgeagent.files.resources import find_bundle
from edgeagent.imaging.frame import Image
from edgeagent.imaging.letterbox import Fit
from edgeagent.settings.state import default_state
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import to_picture

MOST_IN_FLIGHT = 8
"""Frames that may be on their way at once: a worker shares this many sets of buffers."""
RECOVERY_S = 30.0
"""Longest wait for another delegate after the one that served has failed, in seconds."""


@dataclass(slots=True)
class _Submitted:
    """A frame on its way: its detector with the buffers that belong to it, and the call."""

    detector: Detector
    buffers: Buffers
    fit: Fit
    call: Call


class PendingDetections:
    """The detections of a frame that was submitted; see :meth:`DetectorSession.submit`."""

    def __init__(self, session: DetectorSession, frame: Image, score_threshold: float) -> None:
        self._session, self._frame, self._score_threshold = session, frame, score_threshold
        self._found: Detections | None = None
        self._error: EngineError | None = None
        self._submitted: _Submitted | None = None
        try:
            self._submitted = session._begin(frame)
        except EngineError as error:
            self._error = error

    def result(self) -> Detections:
        """Wait for the detections; calling it again returns the same.

        A delegate that fails meanwhile is replaced, and the frame is repeated on the next one.

        Raises:
            EngineError: no delegate works within :data:`RECOVERY_S` seconds.
        """
        if self._found is None:
            self._found = self._session._finish(
                self._submitted, self._error, self._frame, self._score_threshold
            )
            self._submitted = self._error = None
        return self._found


class DetectorSession:
    """An open detector; made by :func:`open_detector`, closed by ``with`` or :meth:`close`.

    Use it from one thread.

    Args:
        manifest: of the bundle.
        detectors: gives the detector that serves.
        facts: gives facts of its engine.
        score_threshold: detections below it are dropped, 0..1.
        close: ends what :func:`open_detector` started.

    Attributes:
        labels: names of the classes, by class index.
    """

    def __init__(
        self,
        manifest: Manifest,
        detectors: Detectors,
        facts: Callable[[], EngineFacts],
        score_threshold: float,
        close: Callable[[], None],
    ) -> None:
        self.labels = manifest.labels
        self._detectors, self._facts, self._close = detectors, facts, close
        self._score_threshold = score_threshold
        self._owner: Detector | None = None
        self._free: list[Buffers] = []
        self._in_flight = 0
        self._closed = False

    @property
    def facts(self) -> EngineFacts:
        """Facts of the engine that serves: engine, version, delegate, threads."""
        return self._facts()

    def __call__(self, frame: Image, score_threshold: float | None = None) -> Detections:
        """Detect on one frame.

        Args:
            frame: (height, width, 3) uint8, BGR.
            score_threshold: instead of the one the detector was opened with, 0..1.

        Returns:
            Detections in pixels of the frame, with labels, and with masks where the model gives them.

        Raises:
            DataError: the frame is no such array.
            EngineError: no delegate works.
        """
        return self.submit(frame, score_threshold).result()

    def submit(self, frame: Image, score_threshold: float | None = None) -> PendingDetections:
        """Begin to detect on a frame and return at once; the engine works while the program goes on.

        The frame must stay as it is until its result was taken. At most :data:`MOST_IN_FLIGHT` frames may
        wait for that.

        Raises:
            DataError: the frame is no (height, width, 3) uint8 array.
            EngineError: too many results were not taken, or the detector is closed.
        """
        check_frame(frame)
        if self._closed:
            raise EngineError("the detector is closed; open it again")
        if self._in_flight >= MOST_IN_FLIGHT:
            raise EngineError(
                f"{MOST_IN_FLIGHT} frames are in flight: take their results before more are submitted"
            )
        self._in_flight += 1
        return PendingDetections(self, frame, self._threshold(score_threshold))

    def stream(
        self, frames: Iterable[Image], in_flight: int = 2, score_threshold: float | None = None
    ) -> Iterator[tuple[Image, Detections]]:
        """Detect on frames as they come, several in flight, and give each with its detections in order.

        Args:
            frames: each (height, width, 3) uint8, BGR, in an array of its own.
            in_flight: frames on their way at once, 1 to :data:`MOST_IN_FLIGHT`; with 2 the engine works on
                one frame while the program prepares the next.
            score_threshold: instead of the one the detector was opened with, 0..1.

        Raises:
            DataError, EngineError: see :meth:`submit`.
        """
        if not 1 <= in_flight <= MOST_IN_FLIGHT:
            raise EngineError(f"in_flight: expected 1 to {MOST_IN_FLIGHT}, got {in_flight}")
        waiting: deque[tuple[Image, PendingDetections]] = deque()
        try:
            for frame in frames:
                waiting.append((frame, self.submit(frame, score_threshold)))
                if len(waiting) == in_flight:
                    first, pending = waiting.popleft()
                    yield first, pending.result()
            while waiting:
                first, pending = waiting.popleft()
                yield first, pending.result()
        finally:
            for _, pending in waiting:  # of a loop that was left early
                with contextlib.suppress(EngineError):
                    pending.result()

    def close(self) -> None:
        """Stop the worker; does nothing when it is closed already."""
        if not self._closed:
            self._closed = True
            self._close()

    def __enter__(self) -> DetectorSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _threshold(self, given: float | None) -> float:
        return self._score_threshold if given is None else given

    def _begin(self, frame: Image) -> _Submitted:
        detector = self._detectors.current(RECOVERY_S)
        if detector is None:
            raise EngineError("no delegate works; 'edgeagent doctor' says what this board has")
        if detector is not self._owner:
            self._owner, self._free = detector, []
        buffers = self._free.pop() if self._free else detector.allocate()
        try:
            fit = detector.preprocessor.write(frame, buffers.inputs[0])
            call = detector.engine.begin(buffers.inputs, buffers.outputs)
        except EngineError as error:
            self._detectors.failed(detector, error)
            raise
        return _Submitted(detector, buffers, fit, call)

    def _finish(
        self, submitted: _Submitted | None, error: EngineError | None, frame: Image, score_threshold: float
    ) -> Detections:
        """Wait for a call, and repeat the frame where it failed."""
        attempts = 0
        try:
            while True:
                if submitted is not None:
                    try:
                        submitted.call.wait()
                        found = submitted.detector.decoder.decode(submitted.buffers.outputs, score_threshold)
                        break
                    except EngineError as failure:
                        error = failure
                        self._detectors.failed(submitted.detector, failure)
                attempts += 1
                if self._closed or attempts > MOST_IN_FLIGHT:
                    raise error or EngineError("the detector is closed")
                try:
                    submitted = self._begin(frame)
                except EngineError as failure:
                    submitted, error = None, failure
        finally:
            self._in_flight -= 1
        detector = submitted.detector
        self._detectors.worked(detector)
        if detector is self._owner:
            self._free.append(submitted.buffers)
        return to_picture(found, submitted.fit).named(self.labels)


def open_detector(
    bundle: str | Path | Bundle | None = None,
    *,
    engine: str = "auto",
    threads: int = 0,
    isolated: bool = True,
    score_threshold: float = 0.4,
    iou_threshold: float = 0.65,
    state: str | Path | None = None,
) -> DetectorSession:
    """Open a model that finds objects, with masks or without; arguments and errors as :func:`open_model`.

    Raises:
        ConfigurationError: the bundle is one of another task.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(find_bundle(bundle))
    require_objects(opened.manifest.task, opened.manifest.name, "open_detector")
    return open_model(
        opened,
        engine=engine,
        threads=threads,
        isolated=isolated,
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        state=state,
    )


def open_model(
    bundle: str | Path | Bundle | None = None,
    *,
    engine: str = "auto",
    threads: int = 0,
    isolated: bool = True,
    score_threshold: float = 0.4,
    iou_threshold: float = 0.65,
    state: str | Path | None = None,
) -> DetectorSession:
    """Open a model of any task on the fastest delegate of this machine that computes what was trained.

    Args:
        bundle: directory of a model bundle, name of one that comes with the program (``coco-small``,
            ``coco-small-320``, ``coco-nano``), or one that :func:`edgeagent.open_bundle` returned; None is
            ``coco-small``.
        engine: ``auto`` tries every delegate that is here; else names of delegates or engines, separated by
            commas, the first choice first. With ``isolated=False`` one engine.
        threads: intra-operator threads of the engine; 0 measures what is faster.
        isolated: run the engine in a worker process with a deadline, checked against the golden pictures of
            the bundle and replaced when it fails; else the bare engine in this process, unchecked.
        score_threshold: detections below it are dropped, 0..1.
        iou_threshold: of non-maximum suppression, 0..1.
        state: folder where measured delegates are recorded, so that the next start is quick; None is the
            program's (``$STATE_DIRECTORY``, ``$XDG_STATE_HOME/edgeagent``, ``~/.local/state/edgeagent``).

    Raises:
        BundleError: the bundle is missing, damaged or made for a newer edgeagent.
        EngineError: no delegate is here, or none computes what was trained.
        ConfigurationError: there is no engine or delegate of that name.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(find_bundle(bundle))
    if not isolated:
        if engine not in CHOICES:
            raise ConfigurationError(f"engine {engine!r}: expected one of {', '.join(CHOICES)}")
        detector = load_bundle_detector(opened, engine, threads, iou_threshold)
        engine_ = detector.engine
        return DetectorSession(
            opened.manifest, OneDetector(detector), lambda: engine_.facts, score_threshold, engine_.close
        )
    folder = Path(state) if state is not None else default_state()
    ranked = rank_delegates(opened, engine, threads=threads, iou_threshold=iou_threshold, state=folder)
    serving = ServingDetector(ranked)
    serving.start()
    return DetectorSession(opened.manifest, serving, lambda: serving.facts, score_threshold, serving.stop)


def check_frame(frame: Image) -> None:
    """Refuse what is no picture.

    Raises:
        DataError: it is no (height, width, 3) uint8 array with pixels.
    """
    if not isinstance(frame, np.ndarray):
        raise DataError(
            f"frame: expected a numpy array (height, width, 3) uint8, BGR; got {type(frame).__name__}"
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise DataError(
            f"frame: expected (height, width, 3) uint8, BGR, as OpenCV reads it; got {frame.shape} "
            f"{frame.dtype}"
        )
