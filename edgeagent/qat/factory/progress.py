"""Progress of the factory, as events for a callback.

A run is a sequence of stages, which may be nested. Each stage sends :class:`StageStarted`, any number of
:class:`StageProgress` and, also after an error, :class:`StageFinished`; :class:`ProgressMessage` may come at
any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgeagent.qat.training.trainer import TrainingProgress


@dataclass(frozen=True)
class ProgressMessage:
    """Line of text for people.

    Attributes:
        text: one line.
    """

    text: str


@dataclass(frozen=True)
class StageStarted:
    """Start of a stage.

    Attributes:
        stage: name of the stage, for people.
        total: number of steps; None for a stage without counted steps.
    """

    stage: str
    total: int | None = None


@dataclass(frozen=True)
class StageProgress:
    """Finished steps of a stage with counted steps.

    Attributes:
        stage: name of the stage.
        done: number of finished steps.
        loss: loss of the step of a training; None for other stages and for a resumed training.
        held_out: loss on the held-out pictures, after a step with a check on them.
        stopped: whether a training ends early because the held-out loss stopped improving.
        resumed: whether ``done`` steps were finished in an earlier run, as in a training that continues from
            a checkpoint.
    """

    stage: str
    done: int
    loss: float | None = None
    held_out: float | None = None
    stopped: bool = False
    resumed: bool = False


@dataclass(frozen=True)
class StageFinished:
    """End of a stage.

    Attributes:
        stage: name of the stage.
    """

    stage: str


ProgressEvent = ProgressMessage | StageStarted | StageProgress | StageFinished
ProgressCallback = Callable[[ProgressEvent], None]


class StageSender:
    """Sender of the progress of a stage, called with the number of finished steps.

    Args:
        stage: name of the stage.
        send: receiver of events.
    """

    def __init__(self, stage: str, send: ProgressCallback) -> None:
        self._stage, self._send = stage, send

    def __call__(self, done: int) -> None:
        """Send the number of finished steps."""
        self._send(StageProgress(self._stage, done))

    def resumed(self, done: int) -> None:
        """Send the number of steps that were finished in an earlier run."""
        self._send(StageProgress(self._stage, done, resumed=True))


class Reporter:
    """Sender of progress events.

    Args:
        callback: called with every event; None sends nothing.
    """

    def __init__(self, callback: ProgressCallback | None = None) -> None:
        self._callback = callback

    def message(self, text: str) -> None:
        """Send a line of text."""
        self._send(ProgressMessage(text))

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[StageSender]:
        """Send the start and end of a stage; the yielded function takes the number of finished steps."""
        self._send(StageStarted(name, total))
        try:
            yield StageSender(name, self._send)
        finally:
            self._send(StageFinished(name))

    @contextmanager
    def training(self, name: str, steps: int) -> Iterator[Callable[[TrainingProgress], None]]:
        """Send the start and end of a training; the yielded function takes its progress."""

        def report(state: TrainingProgress) -> None:
            resumed = state.loss is None
            self._send(StageProgress(name, state.step, state.loss, state.held_out, state.stopped, resumed))

        with self.stage(name, steps):
            yield report

    def _send(self, event: ProgressEvent) -> None:
        if self._callback is not None:
            self._callback(event)
