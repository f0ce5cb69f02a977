"""Progress of ``edgeagent qat`` in the terminal: messages, spinners and bars on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.status import Status

from edgeagent.qat.factory.progress import (
    ProgressEvent,
    ProgressMessage,
    StageFinished,
    StageProgress,
    StageStarted,
)

SMOOTHED = 20  # steps
RATE_PERIOD = 3600.0
"""Seconds of past steps from which the time left is estimated; steps may take a minute each."""


class TerminalProgress:
    """Display of progress events; the instance is the callback.

    Args:
        quiet: whether nothing is shown, in all processes but the first.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self._displays: list[Status | _Bar | _Part] = []

    def __call__(self, event: ProgressEvent) -> None:
        """Show an event."""
        if isinstance(event, ProgressMessage):
            self.console.print(event.text)
        elif isinstance(event, StageStarted):
            self._start(event)
        elif isinstance(event, StageProgress):
            self._advance(event)
        elif isinstance(event, StageFinished):
            ended = self._displays.pop()
            ended.stop()
            if self._displays and not isinstance(ended, _Part):
                self._displays[-1].start()

    def _start(self, event: StageStarted) -> None:
        """Show a stage: beside the bar around it, else what is around it is hidden until it has finished."""
        around = self._displays[-1] if self._displays else None
        if event.total is None and isinstance(around, _Bar):
            self._displays.append(_Part(around, event.stage))
            return
        if around is not None:
            around.stop()
        if event.total is None:
            self._displays.append(self.console.status(event.stage))
        else:
            self._displays.append(_Bar(self.console, event.stage, event.total))
        self._displays[-1].start()

    def _advance(self, event: StageProgress) -> None:
        display = self._displays[-1]
        if isinstance(display, _Bar):
            display.advance(event)
        if event.stopped:
            self.console.print(f"step {event.done}: no better on held-out pictures; stopped early")


class _Bar:
    """Bar of a stage with counted steps; losses are shown once there is one."""

    def __init__(self, console: Console, stage: str, total: int) -> None:
        columns: tuple[ProgressColumn, ...] = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._stage = stage
        self._progress = Progress(*columns, console=console, speed_estimate_period=RATE_PERIOD)
        self._task: TaskID = self._progress.add_task(stage, total=total, losses="")
        self._recent: list[float] = []
        self._held_out = ""
        self.start, self.stop = self._progress.start, self._progress.stop

    def name_part(self, part: str | None) -> None:
        """Show what a step is doing; None for the stage as a whole."""
        description = self._stage if part is None else f"{self._stage}: {part}"
        self._progress.update(self._task, description=escape(description))

    def advance(self, event: StageProgress) -> None:
        """Show finished steps."""
        if event.resumed:
            self._progress.reset(self._task, completed=event.done)  # the rate is that of this run only
            return
        if event.held_out is not None:
            self._held_out = f" held out {event.held_out:.3f}"
        losses = ""
        if event.loss is not None:
            self._recent = [*self._recent, event.loss][-SMOOTHED:]
            losses = f"loss {sum(self._recent) / len(self._recent):.3f}{self._held_out}"
        self._progress.update(self._task, completed=event.done, losses=losses)


class _Part:
    """Stage without counted steps within a stage that has a bar, beside whose name it is shown."""

    def __init__(self, bar: _Bar, stage: str) -> None:
        self._bar = bar
        bar.name_part(stage)

    def start(self) -> None:
        """Show the bar again."""
        self._bar.start()

    def stop(self) -> None:
        """Show the bar without the part."""
        self._bar.name_part(None)
