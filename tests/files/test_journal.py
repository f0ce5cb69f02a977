"""Priorities of the journal of systemd."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.files.journal import leads_to_journal, with_priority
from edgeagent.files.log_format import LogFormatter

PROGRAM = """
import logging, sys, threading
from edgeagent.files.journal import leads_to_journal, log_uncaught_exceptions
from edgeagent.files.log_format import LogFormatter
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(LogFormatter(leads_to_journal(sys.stderr)))
logging.basicConfig(level=logging.DEBUG, handlers=[handler])
log_uncaught_exceptions()
thread = threading.Thread(target=lambda: 1 / 0, name="counter")
thread.start()
thread.join()
raise ValueError("two\\nlines")
"""


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, 7),
        (logging.INFO, 6),
        (logging.WARNING, 4),
        (logging.WARNING + 1, 4),
        (logging.ERROR, 3),
        (logging.CRITICAL, 2),
    ],
)
def test_levels_have_the_priorities_of_syslog(level: int, priority: int) -> None:
    assert with_priority("a\nb", level) == f"<{priority}>a\n<{priority}>b"


def test_all_lines_of_a_traceback_have_one_priority() -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(LogFormatter(journal=True))
    logger = logging.Logger("edgeagent.test")
    logger.addHandler(handler)
    try:
        raise ValueError("x\n<0>forged")
    except ValueError:
        logger.exception("failed")
    lines = output.getvalue().splitlines()
    assert len(lines) > 3
    assert lines[0] == "<3>ERROR edgeagent.test: failed"
    assert all(line.startswith("<3>") for line in lines)


def test_only_the_stream_of_the_journal_has_priorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "file").open("w") as file:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        assert not leads_to_journal(journal)
        status = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert leads_to_journal(journal)
        assert not leads_to_journal(file)
    assert not leads_to_journal(journal)  # closed
    assert not leads_to_journal(io.StringIO())


def run_with_journal(folder: Path, *command: str) -> tuple[int, list[str]]:
    """Run a command whose standard error is the journal; return its exit code and its lines."""
    with (folder / "journal").open("w") as journal:
        status = os.fstat(journal.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        done = subprocess.run(
            [sys.executable, *command], stderr=journal, env=environment, timeout=120, check=False
        )
    return done.returncode, (folder / "journal").read_text().splitlines()


def test_uncaught_exceptions_have_a_priority(tmp_path: Path) -> None:
    code, lines = run_with_journal(tmp_path, "-c", PROGRAM)
    assert code == 1
    assert lines[0].startswith("<3>ERROR edgeagent: counter ended by an error")
    assert any(line.startswith("<2>CRITICAL edgeagent: the program ends") for line in lines)
    assert all(line.startswith(("<2>", "<3>")) for line in lines)


def test_each_mistake_of_a_configuration_is_one_line_of_the_journal(tmp_path: Path) -> None:
    config = tmp_path / "edgeagent.yaml"
    config.write_text("cameras: [{name: gate, source: 0}]\nmqtt: {port: soon}\nmodell: {}\n")
    code, lines = run_with_journal(tmp_path, "-m", "edgeagent", "run", "-c", str(config))
    assert code == 2
    assert 1 <= len(lines) <= 3, lines
    assert all(line.startswith("<3>") for line in lines)
    assert lines[0].startswith(f"<3>edgeagent: {config}:")
