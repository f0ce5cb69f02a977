"""The launcher as systemd runs it, with environments that are really installed and really executed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeagent.delivery.agent.installation import install
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.files.folder_lock import FolderLock
from edgeagent.launcher import start
from edgeagent.launcher.environment import damage, site_packages
from edgeagent.launcher.launched import Launched, launched
from edgeagent.launcher.record import (
    RECORD,
    AgentRecord,
    AgentTrial,
    AgentVersion,
    mark_good,
    read_agent_record,
    write_agent_record,
)
from edgeagent.version import __version__
from tests.delivery.agent.offers import checked_set, offer
from tests.delivery.signed_repository import Repository
from tests.launcher.package import agent_folder, make_package, run_start


class Board:
    """State folder of a board with two installed stand-ins, 0.2.0 and 0.3.0."""

    def __init__(self, folder: Path) -> None:
        self.state, self.package = folder / "state", make_package(folder / "package")
        self.agent = agent_folder(self.state)
        self.agent.mkdir(parents=True)
        repository = Repository(folder / "repository")
        self.versions = [self._install(folder, repository, version) for version in ("0.2.0", "0.3.0")]

    def _install(self, folder: Path, repository: Repository, version: str) -> AgentVersion:
        release: AgentRelease = offer(repository, checked_set(folder / version, version), folder)
        install(folder / "set.zip", release, self.agent, self.package)
        return AgentVersion(release.slot, version, release.sequence)

    def environment(self, number: int) -> Path:
        return self.agent / "versions" / self.versions[number].slot


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(tmp_path_factory.mktemp("board"))


@pytest.fixture
def board(template: Board, tmp_path: Path) -> Board:
    copy: Board = object.__new__(Board)
    copy.__dict__.update(template.__dict__)
    copy.state = tmp_path / "state"
    shutil.copytree(template.state, copy.state, symlinks=True)
    copy.agent = agent_folder(copy.state)
    return copy


def test_a_delivered_version_is_executed_in_its_place(board: Board) -> None:
    write_agent_record(board.agent, AgentRecord(current=board.versions[0]))
    found, _ = run_start(board.package, board.state, ["run", "-c", "file"])
    facts = Launched(**{**found["launched"], "arguments": tuple(found["launched"]["arguments"])})
    assert (found["version"], found["given"]) == ("0.2.0", ["run", "-c", "file"])
    assert facts == Launched(
        str(board.agent),
        str(board.package),
        __version__,
        board.versions[0].slot,
        False,
        ("run", "-c", "file"),
    )
    assert launched(facts.variable()) == facts
    assert read_agent_record(board.agent).starts == 1


def test_a_version_that_ends_at_every_start_is_rolled_back(board: Board) -> None:
    old, new = board.versions
    trial = AgentTrial(new.slot, new.version, new.sequence)
    write_agent_record(board.agent, AgentRecord(current=old, trial=trial))
    ran = [run_start(board.package, board.state)[0]["version"] for _ in range(4)]
    assert ran == ["0.3.0", "0.3.0", "0.3.0", "0.2.0"]
    assert read_agent_record(board.agent).is_bad(new.slot)


@pytest.mark.parametrize("how", ["changed", "torn", "missing", "added", "no list"])
def test_a_damaged_environment_is_not_executed(board: Board, how: str) -> None:
    write_agent_record(board.agent, AgentRecord(current=board.versions[1], previous=board.versions[0]))
    environment = board.environment(1)
    file = site_packages(environment) / "edgeagent" / "version.py"
    content = file.read_bytes()
    if how == "changed":
        file.write_bytes(content.replace(b"0.3.0", b"6.6.6"))
    elif how == "torn":
        file.write_bytes(content[:-3])
    elif how == "missing":
        file.unlink()
    elif how == "added":
        (site_packages(environment) / "evil.pth").write_text("import os\n")
    else:
        (environment / "environment.json").write_bytes(b"")
    found, errors = run_start(board.package, board.state)
    assert found["version"] == "0.2.0"
    assert "0.3.0 is left" in errors
    assert read_agent_record(board.agent).bad == ()


def test_a_changed_file_with_the_old_time_is_found_after_a_reboot_only(board: Board) -> None:
    environment = board.environment(0)
    file = site_packages(environment) / "edgeagent" / "version.py"
    status = file.stat()
    file.write_bytes(file.read_bytes().replace(b"0.2.0", b"6.6.6"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert damage(environment, hashed=False) is None
    assert damage(environment, hashed=True) is not None


@pytest.mark.parametrize("record", [b"", b"{", b'{"schema_version": 99}'])
def test_without_its_record_the_newest_good_version_starts(board: Board, record: bytes) -> None:
    mark_good(board.agent, board.versions[0])
    (board.agent / RECORD).write_bytes(record)
    found, errors = run_start(board.package, board.state)
    assert found["version"] == "0.2.0"
    assert "the last good version starts" in errors
    assert read_agent_record(board.agent).current == board.versions[0]


def test_on_a_disk_that_takes_no_record_the_good_version_starts_and_no_trial(board: Board) -> None:
    old, new = board.versions
    trial = AgentTrial(new.slot, new.version, new.sequence)
    write_agent_record(board.agent, AgentRecord(current=old, trial=trial))
    (board.agent / f"{RECORD}.new").mkdir()  # no write of it succeeds, also for root
    found, errors = run_start(board.package, board.state)
    assert found["version"] == "0.2.0"
    assert "its starts cannot be counted" in errors


@pytest.mark.parametrize("state", ["none", "empty", "old", "locked", "not executable"])
def test_the_package_starts_where_nothing_else_can(
    board: Board, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[tuple[str, list[str]]] = []

    def execute(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        if state == "not executable" and str(board.agent) in program:
            raise PermissionError(13, "Permission denied")
        executed.append((program, arguments))
        assert environment["PYTHONSAFEPATH"] == "1"

    monkeypatch.setattr(sys, "prefix", str(board.package))
    monkeypatch.setenv("STATE_DIRECTORY", str(board.state))
    if state == "none":
        shutil.rmtree(board.agent)
    elif state != "empty":
        write_agent_record(board.agent, AgentRecord(current=board.versions[0]))
    if state == "old":
        monkeypatch.setattr(start, "__version__", "0.2.0")
    lock = FolderLock(board.agent) if state == "locked" else None
    start.main(["run"], execute)
    if lock is not None:
        lock.release()
    python = str(board.package / "bin" / "python3")
    assert executed == [(python, [python, "-I", "-B", "-m", "edgeagent", "run"])]


def test_the_launcher_needs_the_standard_library_only(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import edgeagent.launcher.start;"
        "print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    root = Path(start.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root)], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"edgeagent", "__main__"}


def test_a_record_of_the_good_version_survives_its_own_start(board: Board) -> None:
    write_agent_record(board.agent, AgentRecord(current=board.versions[1], previous=board.versions[0]))
    before = read_agent_record(board.agent)
    run_start(board.package, board.state)
    after = read_agent_record(board.agent)
    assert replace(after, starts=0, verified=()) == before
