"""Start of the service: ``edgeagent-start run -c FILE``, the program of the systemd unit.

It replaces itself (exec), so that the process id stays that of the service, with its watchdog and its ready
notification. The folder of the versions is ``agent`` in systemd's ``StateDirectory``. Whatever is wrong with
it, the packaged version starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.folder_lock import FolderLock
from edgeagent.launcher.decision import Start, decide
from edgeagent.launcher.environment import damage, interpreter
from edgeagent.launcher.launched import Launched, utc_now
from edgeagent.launcher.record import (
    VERSIONS,
    AgentRecord,
    AgentVersion,
    DamagedAgentRecordError,
    change_agent_record,
    known_good,
    read_agent_record,
    write_agent_record,
)
from edgeagent.version import __version__

FOLDER = "agent"
"""Name of the folder of the versions in the state folder."""
BOOT = Path("/proc/sys/kernel/random/boot_id")
Execute = Callable[[str, list[str], dict[str, str]], object]


def main(arguments: Sequence[str] | None = None, execute: Execute = os.execve) -> None:
    """Choose a version and become it.

    Args:
        arguments: of the command line, passed on.
        execute: replaces this process; returns only in tests.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        _start_delivered(Path(state) / FOLDER, given, execute)
    facts = Launched(str(Path(state) / FOLDER), sys.prefix, __version__, None, False, tuple(given))
    _become(Path(sys.prefix), given, facts.variable() if state else {}, execute)


def _start_delivered(folder: Path, given: list[str], execute: Execute) -> None:
    """Become a delivered version; return where none is to run, or none can."""
    try:
        if not folder.is_dir():
            return
        lock = FolderLock(folder)
    except (EdgeagentError, OSError) as error:
        _say(f"{error}; the packaged version starts")
        return
    try:
        for _ in range(3):  # one that cannot even be executed is left for the next
            start = _decided(folder)
            if start.version is None:
                return
            facts = Launched(
                str(folder), sys.prefix, __version__, start.version.slot, start.trial, tuple(given)
            )
            try:
                _become(folder / VERSIONS / start.version.slot, given, facts.variable(), execute)
            except OSError as error:
                _leave(folder, start.version, f"it cannot be executed ({error.strerror})")
    except Exception as error:  # noqa: BLE001  (detection goes on with the packaged version)
        _say(f"no delivered version can be started ({error!r}); the packaged version starts")
    finally:
        lock.release()


def _decided(folder: Path) -> Start:
    """Return what to start, with the record on the disk."""
    boot, lost = _boot_id(), False
    try:
        record = read_agent_record(folder)
    except DamagedAgentRecordError as error:
        good, lost = known_good(folder), True
        record = AgentRecord(current=next(iter(good), None), previous=next(iter(good[1:]), None))
        _say(f"{error}; the last good version starts")
    hashed = dict(record.verified)

    def examined(version: AgentVersion) -> str | None:
        found = damage(folder / VERSIONS / version.slot, hashed=hashed.get(version.slot) != boot)
        if found is None:
            hashed[version.slot] = boot
        return found

    start = decide(record, __version__, utc_now(), examined)
    kept = tuple((slot, seen) for slot, seen in hashed.items() if seen == boot)
    changed = replace(start.record, verified=kept)
    if changed != record or lost:
        try:
            write_agent_record(folder, changed)
        except EdgeagentError as error:
            _say(str(error))
            start = decide(record, __version__, utc_now(), examined, countable=False)
    for note in start.notes:
        _say(note)
    return start


def _leave(folder: Path, version: AgentVersion, reason: str) -> None:
    _say(f"{version.version} is left: {reason}")
    change_agent_record(
        folder, lambda record: record.without(version, "rolled_back", reason, utc_now(), bad=False)
    )


def _become(environment: Path, given: list[str], variables: dict[str, str], execute: Execute) -> None:
    """Replace this process by the agent of an environment.

    Workers take no module from the folder in which they run, and no environment is written to, as its files
    are listed.
    """
    python = str(interpreter(environment))
    fixed = {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.stdout.flush()
    execute(python, [python, "-I", "-B", "-m", "edgeagent", *given], {**os.environ, **fixed, **variables})


def _boot_id() -> str:
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _say(text: str) -> None:
    sys.stderr.write(f"<4>edgeagent-start: {text}\n" if "JOURNAL_STREAM" in os.environ else f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
