"""What ``edgeagent qat train`` shows while it works, and the table at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from edgeagent.bundle.manifest import Measurement
from edgeagent.qat.export.exports import Exported
from edgeagent.qat.training.trainer import Progress

SMOOTHED = 20  # steps


class View:
    """Writes to the terminal.

    Args:
        quiet: say nothing, in all processes but the first.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)

    def say(self, text: str) -> None:
        """Show a line."""
        self._console.print(text)

    def busy(self, text: str) -> AbstractContextManager[object]:
        """Show what is being done, as long as it is."""
        return self._console.status(text)

    @contextmanager
    def training(self, what: str, steps: int) -> Iterator[Callable[[Progress], None]]:
        """Show a bar with loss, steps and the time left; what is yielded takes the progress."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("held out {task.fields[held_out]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=self._console) as bar:
            task = bar.add_task(what, total=steps, loss="-", held_out="-")
            recent: list[float] = []

            def report(progress: Progress) -> None:
                if progress.loss is None:
                    bar.reset(task, completed=progress.step)  # so that the rate is that of this run alone
                    return
                recent.append(progress.loss)
                del recent[:-SMOOTHED]
                bar.update(task, completed=progress.step, loss=f"{sum(recent) / len(recent):.3f}")
                if progress.held_out is not None:
                    bar.update(task, held_out=f"{progress.held_out:.3f}")
                if progress.stopped:
                    bar.console.print(f"step {progress.step}: no better on held-out pictures; stopped early")

            yield report

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar with the time left; what is yielded takes how many are done."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"))
        with Bar(*columns, TimeRemainingColumn(), console=self._console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    def table(self, measurements: Sequence[Measurement], artefacts: Sequence[Exported]) -> None:
        """Show what was measured, and how much of each artefact is integer."""
        counts = [
            f"{artefact.path.name}: {sum(artefact.operators.integer.values())} integer operators, "
            f"{sum(artefact.operators.float.values())} float "
            f"({', '.join(artefact.operators.float) or 'none'})"
            for artefact in artefacts
        ]
        table = Table(caption="\n".join(counts))
        for column in ("state", "method", "engine"):
            table.add_column(column)
        for column in ("mAP50-95", "mAP50", "pictures"):
            table.add_column(column, justify="right")
        for item in measurements:
            scores = (f"{item.map50_95:.3f}", f"{item.map50:.3f}", str(item.images))
            table.add_row(item.state, item.method, item.engine.split()[0], *scores)
        if not measurements:
            table.add_row("qat", "accuracy not measured: no --val-images", "", "", "", "")
        self._console.print(table)
