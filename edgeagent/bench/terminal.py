"""Tables and progress on the terminal, with rich where installed and in plain text otherwise."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from edgeagent.bench.table import TextTable


def show_tables(tables: Sequence[TextTable], notes: Sequence[str]) -> None:
    """Print tables and notes to standard output."""
    if importlib.util.find_spec("rich") is None:
        sys.stdout.write("\n\n".join(plain_table(table) for table in tables) + "\n\n")
    else:
        _show_rich(tables)
    sys.stdout.writelines(f"{note}\n" for note in notes)


def plain_table(table: TextTable) -> str:
    """Return a table as aligned plain text."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    text = [
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    ]
    return "\n".join([table.title, *text])


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar with the remaining time on standard error, when that is a terminal.

    Yields:
        A function of (description, completed fraction 0..1).
    """
    if not sys.stderr.isatty():
        yield lambda text, fraction: None
    elif importlib.util.find_spec("rich") is None:
        yield _PlainProgress().show
        sys.stderr.write("\n")
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=1.0)
            yield lambda text, fraction: bar.update(
                task, completed=fraction, description=text.replace("[", r"\[")
            )


class _PlainProgress:
    """Progress line that is overwritten in place."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def show(self, text: str, fraction: float) -> None:
        elapsed = time.monotonic() - self._started
        left = f"{elapsed / fraction * (1 - fraction):4.0f} s left" if fraction > 0 else ""
        sys.stderr.write(f"\r{fraction:4.0%} {left:12} {text:60.60}")
        sys.stderr.flush()


def _show_rich(tables: Sequence[TextTable]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # in a file or a pipe the width is not limited by a terminal
    console = Console() if sys.stdout.isatty() else Console(width=200)
    for table in tables:
        drawn = Table(title=escape(table.title), title_justify="left")
        for number, column in enumerate(table.columns):
            drawn.add_column(escape(column), justify="right" if number else "left", overflow="fold")
        for row in table.rows:
            style = "red" if "FAILED" in row else None
            drawn.add_row(*(escape(cell) for cell in row), style=style)
        console.print(drawn)
