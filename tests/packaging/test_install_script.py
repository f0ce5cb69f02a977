"""install.sh in a mount namespace: /etc and /opt are copies, and apt and systemctl are recorded stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.files.resources import included_configuration
from edgeagent.provisioning.document import SUFFIX
from edgeagent.settings.file import load_settings
from tests.packaging.building import PACKAGING, ROOT, program_or_skip
from tests.provisioning.desk import made, stick

SCRIPT = PACKAGING / "install.sh"
STAND_IN = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n'
SECRET = r"\t\ns$(id)`id`'\"cret"
ENTER = """\
set -e
mount --bind "$BOARD/etc" /etc
mount --bind "$BOARD/opt" /opt
exec sh "$@"
"""


class Board:
    """A board in a folder; ``run`` starts the script there."""

    def __init__(self, folder: Path, architecture: str = "arm64", suite: str = "bookworm") -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.etc = folder / "etc"
        programs = folder / "programs"
        programs.mkdir(parents=True)
        for name in ("apt-get", "systemctl", "runuser"):
            (programs / name).write_text(STAND_IN, encoding="ascii")
        (programs / "dpkg").write_text(f"#!/bin/sh\necho {architecture}\n", encoding="ascii")
        for path in programs.iterdir():
            path.chmod(0o755)
        (self.etc / "edgeagent").mkdir(parents=True)
        (self.etc / "apt" / "sources.list.d").mkdir(parents=True)
        (self.etc / "os-release").write_text(f"ID=debian\nVERSION_CODENAME={suite}\n", encoding="ascii")
        for name in ("passwd", "group", "ld.so.cache"):
            shutil.copyfile(f"/etc/{name}", self.etc / name)
        python = folder / "opt" / "edgeagent" / "bin" / "python3"
        python.parent.mkdir(parents=True)
        # As in the package, where -I finds edgeagent in its site-packages.
        python.write_text(
            '#!/bin/sh\necho "python3 $*" >>"$CALLS.python"\nshift\n'
            f'PYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n',
            encoding="utf-8",
        )
        python.chmod(0o755)
        self.configuration = self.etc / "edgeagent" / "edgeagent.yaml"
        shutil.copyfile(included_configuration(), self.configuration)

    def run(
        self, *arguments: object, answers: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        unshare = program_or_skip("unshare")
        if subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode != 0:
            pytest.skip("a mount namespace needs root")
        environment = {
            **os.environ,
            **variables,
            "PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "BOARD": str(self.folder),
        }
        command = [unshare, "-m", "sh", "-c", ENTER, "sh", str(SCRIPT), *map(str, arguments)]
        return subprocess.run(
            command, input=answers, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def called(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.gpg"
    path.write_bytes(b"a key")
    return path


def test_from_a_repository_with_arguments(tmp_path: Path, keyring: Path) -> None:
    board = Board(tmp_path / "board")
    arguments = [
        "--repository",
        "https://apt.example.org",
        "--keyring",
        keyring,
        "--camera",
        "rtsp://10.0.0.7/1",
    ]
    done = board.run(*arguments, "--broker", "10.0.0.2:1884")
    assert done.returncode == 0, done.stderr
    assert board.called == [
        "apt-get update",
        "apt-get install -y edgeagent",
        "systemctl restart edgeagent",
        "runuser -u edgeagent -- edgeagent doctor -c /etc/edgeagent/edgeagent.yaml",
    ]
    assert (board.etc / "apt/keyrings/edgeagent.gpg").read_bytes() == b"a key"
    sources = (board.etc / "apt/sources.list.d/edgeagent.sources").read_text(encoding="ascii").splitlines()
    assert sources == [
        "Types: deb",
        "URIs: https://apt.example.org",
        "Suites: bookworm",
        "Components: main",
        "Signed-By: /etc/apt/keyrings/edgeagent.gpg",
    ]
    settings = load_settings(board.configuration)
    assert (settings.cameras[0].source, settings.mqtt.host, settings.mqtt.port) == (
        "rtsp://10.0.0.7/1",
        "10.0.0.2",
        1884,
    )


def test_from_a_file_with_answers(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", suite="noble")
    package = tmp_path / "edgeagent.deb"
    package.touch()
    done = board.run("--package", package, answers="/dev/video2\nbroker.local\n")
    assert done.returncode == 0, done.stderr
    assert board.called[0] == f"apt-get install -y {package}"
    settings = load_settings(board.configuration)
    assert (settings.cameras[0].source, settings.mqtt.host) == ("/dev/video2", "broker.local")
    assert not list((board.etc / "apt" / "sources.list.d").iterdir())


@pytest.mark.parametrize("asked", [True, False])
def test_a_password_arrives_as_it_is_and_is_no_option_of_a_process(tmp_path: Path, asked: bool) -> None:
    """The shell of many boards is dash, whose echo knows escape sequences."""
    board = Board(tmp_path / "board")
    camera = f"rtsp://viewer:{SECRET}@10.0.0.7/1"
    answers, arguments = (f"{camera}\nnone\n", ()) if asked else ("", ("--yes", "--camera", camera))
    done = board.run("--package", SCRIPT, *arguments, answers=answers)
    assert done.returncode == 0, done.stderr
    assert load_settings(board.configuration).cameras[0].source == camera
    (started,) = Path(f"{board.calls}.python").read_text(encoding="utf-8").splitlines()
    assert "viewer" not in started
    assert SECRET not in "\n".join(board.called) + done.stdout + done.stderr


def test_unattended_takes_the_environment_and_defaults(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    done = board.run("--package", SCRIPT, "--yes", EDGEAGENT_BROKER="b:1")
    assert done.returncode == 0, done.stderr
    settings = load_settings(board.configuration)
    assert (settings.cameras[0].source, settings.mqtt.host, settings.mqtt.port) == ("/dev/video0", "b", 1)


def test_a_complete_configuration_is_taken_as_it_is(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    complete = tmp_path / "board.yaml"
    complete.write_text("cameras: [{name: gate, source: 0}]\n", encoding="ascii")
    done = board.run("--package", SCRIPT, "--provisioning", complete)
    assert done.returncode == 0, done.stderr
    assert board.configuration.read_bytes() == complete.read_bytes()


@pytest.mark.parametrize("folder", [False, True])
def test_a_provisioning_file_is_applied(tmp_path: Path, folder: bool) -> None:
    board = Board(tmp_path / "board")
    medium = stick(tmp_path / "stick", made(tmp_path, "gate-1,rtsp://10.0.0.7/1"))
    given = f"{medium}/" if folder else medium / f"gate-1{SUFFIX}"
    done = board.run("--package", SCRIPT, "--provisioning", given)
    assert done.returncode == 0, done.stderr
    settings = load_settings(board.configuration)
    assert (settings.device, settings.cameras[0].source) == ("gate-1", "rtsp://10.0.0.7/1")
    assert "systemctl restart edgeagent" in board.called
    assert not list(medium.iterdir())


def test_a_mistake_in_the_configuration_stops_before_the_restart(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    done = board.run("--package", SCRIPT, "--yes", "--broker", "host:port")
    assert done.returncode == 2
    assert "expected HOST or HOST:PORT" in done.stderr
    assert not any(call.startswith("systemctl") for call in board.called)


@pytest.mark.parametrize(
    ("architecture", "suite", "arguments", "reason"),
    [
        ("armhf", "bookworm", ["--package", SCRIPT], "64-bit"),
        ("arm64", "buster", ["--package", SCRIPT], "no package for the system buster"),
        ("arm64", "bookworm", [], "--repository or --package"),
        ("arm64", "bookworm", ["--frob"], "unknown option --frob"),
        ("arm64", "bookworm", ["--camera"], "--camera needs a value"),
        ("arm64", "bookworm", ["--provisioning", "/nonexistent"], "cannot be read"),
    ],
)
def test_nothing_is_changed_where_it_cannot_work(
    tmp_path: Path, architecture: str, suite: str, arguments: list[object], reason: str
) -> None:
    board = Board(tmp_path / "board", architecture, suite)
    done = board.run(*arguments)
    assert done.returncode == 1
    assert reason in done.stderr
    assert not board.called


def test_the_script_is_short_and_correct_shell() -> None:
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) <= 60
    subprocess.run([program_or_skip("shellcheck"), str(SCRIPT)], check=True)
