"""Run tests, and repeat those that fail beside others: `python tools/run_tests.py ARGUMENTS OF PYTEST`.

A test of a real process, broker or camera may miss its time on a machine that is busy with something else.
Those that fail are run once more, one after the other with nothing beside them; who fails then, or is
skipped, has failed. Those that pass are listed at the end, so that somebody looks at them. More than
:data:`MOST` failures are a fault and not a busy machine: nothing is repeated, nor where pytest stops early.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

MOST = 8
TESTS_FAILED = 1
"""Exit status of pytest; see https://docs.pytest.org/en/stable/reference/exit-codes.html."""
STOPS_EARLY = ("-x", "--exitfirst", "--maxfail", "--stepwise")


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as cache:
        status = _run(arguments, cache)
        record = Path(cache, "v/cache/lastfailed")
        failed = list(json.loads(record.read_text())) if record.exists() else []
        early = any(one.startswith(STOPS_EARLY) for one in arguments)
        if status != TESTS_FAILED or early or not 0 < len(failed) <= MOST:
            return status
        print(f"\n{len(failed)} tests failed beside others and are repeated:", *failed, sep="\n  ")
        report = Path(cache, "repeated.xml")
        status = _run(["--numprocesses", "0", "--junit-xml", str(report), *failed], cache)
        if status == 0 and not _all_passed(report, len(failed)):
            print("\nnot every one of them was run again")
            status = TESTS_FAILED
    if status == 0:
        print(f"\n{len(failed)} tests failed beside others and passed alone:", *failed, sep="\n  ")
    return status


def _run(arguments: list[str], cache: str) -> int:
    """Return the exit status of pytest, which has its cache in a folder."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # pytest has it too, and ends what its tests started


def _all_passed(report: Path, count: int) -> bool:
    """Return whether a report has so many tests, and all of them have passed."""
    if not report.exists():
        return False
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314  (of pytest)
    return len(cases) >= count and not any(len(case.findall("skipped")) for case in cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
