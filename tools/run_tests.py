"""Run tests, and repeat alone those that fail beside others: `python tools/run_tests.py ARGUMENTS OF PYTEST`.

A test of a real process, broker or camera may miss its time on a machine that is busy with something else. It
has failed where it fails alone, too; one that passes then is listed at the end, so that somebody looks at it.
More than :data:`MOST` failures are a fault and not a busy machine: nothing is repeated.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 8
TESTS_FAILED = 1
"""Exit status of pytest; see https://docs.pytest.org/en/stable/reference/exit-codes.html."""


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as cache:
        status, failed = _run(arguments, cache)
        if status != TESTS_FAILED or not 0 < len(failed) <= MOST:
            return status
        print(f"\n{len(failed)} tests failed beside others; each is repeated alone:", *failed, sep="\n  ")
        status, again = _run(["--numprocesses", "0", *failed], cache)
        passed = [name for name in failed if name not in again] if status in (0, TESTS_FAILED) else []
        if status == 0 and again:  # pytest ended in a test that had failed before
            status = TESTS_FAILED
    if passed:
        print(f"\n{len(passed)} tests failed beside others and passed alone:", *passed, sep="\n  ")
    return status


def _run(arguments: list[str], cache: str) -> tuple[int, list[str]]:
    """Return the exit status of pytest, and the names of the tests that failed."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    with subprocess.Popen(command) as process:
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                continue  # pytest has it too, and ends what its tests started
    record = Path(cache, "v/cache/lastfailed")
    return status, list(json.loads(record.read_text())) if record.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
