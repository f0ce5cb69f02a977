"""The whole matrix: ``python -m tests.delivery.state_matrix``, or ``make crash-test``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.delivery.state_matrix.cells import CELLS, matrix


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all cells and print a table."""
    parser = argparse.ArgumentParser(description="Take the whole daemon through every state at every moment.")
    parser.add_argument("--only", metavar="WORDS", action="append", help="cells whose name contains this")
    parser.add_argument("--told", action="store_true", help="print what each board said")
    options = parser.parse_args(arguments)
    wanted = [
        cell for cell in CELLS if not options.only or any(one in ": ".join(cell) for one in options.only)
    ]
    began, failures = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="edgeagent-states-") as folder, matrix(Path(folder)) as tried:
        for name, moment in wanted:
            try:
                found = tried.try_cell(name, moment)
            except (AssertionError, Exception) as error:  # noqa: BLE001  (the others are tried all the same)
                failures += 1
                _say(f"{name:<24}{moment:<10}FAILED {error!r}"[:3000])
                continue
            _say(f"{name:<24}{moment:<10}{found.served:<7} status {found.status}")
            if options.told:
                _say(f"    {found.told}")
    _say(f"{len(wanted)} cells, {failures} failures; {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
