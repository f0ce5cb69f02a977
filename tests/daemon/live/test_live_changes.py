"""Live changes and their control socket, without a daemon: applied, kept, refused, undone and saved."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeagent.cli import main
from edgeagent.cli.live_source import read_live
from edgeagent.daemon.live.control import MOST_BYTES, Control, short_path
from edgeagent.daemon.live.control_client import NoAgentError, ask_agent
from edgeagent.daemon.live.live_changes import LiveChanges
from edgeagent.daemon.live.page_editor import BROKER_PASSWORD, PageEditor
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.settings.file import load_settings, read_own
from edgeagent.settings.live.changes import LIVE_FILE, read_changes
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.telemetry.event_log import EventLog

FILE = """\
device: board
state: state
cameras:
  - name: yard   # at the gate
    source: /dev/video0
model:
  score_threshold: 0.4
"""
KEY = "model.score_threshold"


class Running:
    """Live changes on a file, whose changes are only written down."""

    def __init__(self, folder: Path, content: str = FILE) -> None:
        self.file, self.state = folder / "edgeagent.yaml", folder / "state"
        self.file.write_text(content, encoding="utf-8")
        self.state.mkdir(exist_ok=True)
        self.applied: list[tuple[str, ...]] = []
        self.events: list[dict[str, Any]] = []
        self.failure: EdgeagentError | None = None
        self.start()

    def start(self) -> None:
        """Start, or start again."""
        settings, source = read_live(self.file, read_own(self.file), None)
        log = EventLog(1, lambda topic, payload: self.events.append(json.loads(payload)["data"]))
        self.live = LiveChanges(source, settings, self.state, self._apply, log)

    @property
    def threshold(self) -> float:
        return self.live.settings.model.score_threshold

    def _apply(self, change: SettingsChange) -> None:
        if self.failure is not None:
            raise self.failure
        self.applied.append(change.keys)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


@pytest.fixture
def state(running: Running) -> Iterator[Path]:
    control = Control(running.live, running.state)
    control.start()
    yield running.state
    control.stop()
    assert not (running.state / "control.sock").exists()


def test_a_change_is_applied_kept_and_undone(running: Running) -> None:
    assert running.live.propose({KEY: 0.5}, "anna").applied == (KEY,)
    assert running.threshold == 0.5
    assert running.events[-1] == {"what": "set", "by": "anna", "ok": True, "applied": KEY}
    running.start()
    assert running.threshold == 0.5
    assert running.live.undo("ben").applied == (KEY,)
    assert (running.threshold, read_changes(running.state)) == (0.4, ())
    assert running.live.undo("ben").describe() == "nothing has changed"


def test_what_is_refused_is_an_event_and_changes_nothing(running: Running) -> None:
    running.live.propose({KEY: 0.5}, "anna")
    for values in ({KEY: 7}, {KEY: 0.6, "model.threads": 2}, {"no": 1}, {}, {"cameras.yard": None}):
        with pytest.raises(ConfigurationError):
            running.live.propose(values, "ben")
        assert (running.events[-1]["ok"], running.events[-1]["by"]) == (False, "ben")
    assert running.applied == [(KEY,)]
    assert [one.value for one in read_changes(running.state)] == [0.5]


def test_what_fails_while_it_is_applied_is_not_kept(running: Running) -> None:
    running.failure = EdgeagentError("no threads left")
    with pytest.raises(EdgeagentError, match="no threads left"):
        running.live.propose({KEY: 0.5}, "anna")
    assert (running.threshold, read_changes(running.state)) == (0.4, ())


def test_a_reload_applies_what_it_can_and_names_the_rest(running: Running) -> None:
    running.live.propose({KEY: 0.5}, "anna")
    running.file.write_text(FILE.replace("0.4", "0.3") + "  threads: 2\nobjects: {labels: [car]}\n")
    result = running.live.reload("SIGHUP")
    assert result.applied == ("objects.labels",)
    assert list(result.waiting) == ["model.threads"]
    assert result.hidden == (KEY,)
    assert running.live.waiting.keys() == {"model.threads"}
    assert running.live.propose({KEY: 0.6}, "anna").applied == (KEY,), "what waits does not hinder others"
    running.live.undo("anna")
    assert running.threshold == 0.3


@pytest.mark.parametrize("content", ["", "cameras: []\n", "a: [", FILE + "mqtt: {hots: broker}\n"])
def test_a_bad_file_is_refused_whole(content: str, running: Running) -> None:
    running.file.write_text(content or FILE.replace("0.4", "0.3") + "x: 1\n")
    with pytest.raises(ConfigurationError):
        running.live.reload("SIGHUP")
    assert (running.applied, running.threshold) == ([], 0.4)
    running.file.unlink()
    with pytest.raises(ConfigurationError, match="no such file"):
        running.live.reload("SIGHUP")


def test_saving_moves_changes_into_the_file(running: Running) -> None:
    running.live.propose({KEY: 0.5, "cameras.yard.weight": 2.0}, "anna")
    assert running.live.save("anna").applied == ()
    told = {"what": "save", "by": "anna", "ok": True, "saved": f"{KEY}, cameras.yard.weight"}
    assert running.events[-1] == told
    assert "# at the gate" in running.file.read_text(encoding="utf-8")
    assert load_settings(running.file).model.score_threshold == 0.5
    assert read_changes(running.state) == ()
    assert {one.layer for one in running.live.sources()} == {"file"}


def test_nothing_changes_during_a_trial(tmp_path: Path) -> None:
    running = Running(tmp_path)
    settings, source = read_live(running.file, read_own(running.file), None)
    held = type(source)(source.file, source.base, (), source.read, hindrance=lambda: "on trial")
    live = LiveChanges(held, settings, running.state, running._apply, EventLog(1, lambda *_: None))
    with pytest.raises(EdgeagentError, match="on trial"):
        live.propose({KEY: 0.5}, "anna")


def test_a_damaged_file_of_changes_is_left_out(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    (running.state / LIVE_FILE).write_bytes(b"\x00\xff")
    running.start()
    assert running.threshold == 0.4
    assert "the live changes are left out" in caplog.text


def test_commands_talk_to_the_agent(
    running: Running, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["-c", str(running.file)]
    assert main(["live", "set", *where, f"{KEY}=0.5", "cameras.yard.weight=2"]) == 0
    assert running.threshold == 0.5
    assert running.events[-1]["by"].startswith("user ")
    assert main(["live", "show", *where]) == 0
    shown = capsys.readouterr().out
    assert "live    model.score_threshold: 0.5  (user " in shown
    assert "file    device:" in shown
    assert main(["live", "set", *where, f"{KEY}=high"]) == 2
    assert main(["live", "set", *where, KEY]) == 2
    assert main(["live", "undo", *where, "cameras.yard"]) == 0
    assert main(["live", "save", *where]) == 0
    assert "score_threshold: 0.5" in running.file.read_text(encoding="utf-8")
    assert read_changes(state) == ()
    capsys.readouterr()
    assert main(["reload", *where]) == 0
    assert "nothing has changed" in capsys.readouterr().out
    running.file.write_text(FILE + "  threads: 2\n", encoding="utf-8")
    assert main(["reload", *where, "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["applied"], list(result["waiting"])) == ([KEY], ["model.threads"])
    running.file.write_text(FILE + "  treads: 2\n", encoding="utf-8")
    assert main(["reload", "--state", str(state)]) == 2
    assert "edgeagent.yaml:8: model.treads: unknown key" in capsys.readouterr().err
    assert running.threshold == 0.4


@pytest.mark.parametrize("mistake", ["treads: 2\n", "a: [\n"])
def test_a_bad_file_that_the_command_reads_is_an_event_too(
    mistake: str, running: Running, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.file.write_text(FILE + mistake, encoding="utf-8")
    assert main(["reload", "-c", str(running.file)]) == 2
    assert "edgeagent.yaml:" in capsys.readouterr().err
    assert (running.events[-1]["what"], running.events[-1]["ok"]) == ("reload", False)


DOCK = {"cameras.dock": {"source": "rtsp://10.0.0.7/live"}, "mqtt.host": "broker", "mqtt.username": "anna"}


def test_the_page_writes_a_configuration_into_the_file(running: Running) -> None:
    running.live.propose({KEY: 0.5}, "anna")
    editor = PageEditor(running.live, running.state)
    result, left = editor.configure(DOCK, "s3cret", "anna")
    assert (result.applied, left) == (("cameras.dock",), None)
    assert set(result.waiting) == {"mqtt.host", "mqtt.username", "mqtt.password_file"}
    written = load_settings(running.file)
    assert "# at the gate" in running.file.read_text(encoding="utf-8")
    assert [one.name for one in written.cameras] == ["yard", "dock"]
    assert written.mqtt.password_file == (running.state / BROKER_PASSWORD).absolute()
    assert (running.state / BROKER_PASSWORD).read_text() == "s3cret\n"
    assert (running.state / BROKER_PASSWORD).stat().st_mode & 0o777 == 0o600
    assert [one.key for one in read_changes(running.state)] == [KEY], "other live changes stay"
    assert (running.events[-1]["what"], running.events[-1]["by"]) == ("write", "live page: anna")
    assert "s3cret" not in json.dumps(running.events)


def test_a_configuration_that_is_refused_changes_nothing(running: Running) -> None:
    editor, before = PageEditor(running.live, running.state), running.file.read_bytes()
    with pytest.raises(ConfigurationError, match=r"mqtt\.host"):
        editor.configure({**DOCK, "mqtt.host": "mqtt://broker"}, "s3cret", "anna")
    assert running.file.read_bytes() == before
    assert not (running.state / BROKER_PASSWORD).exists()
    assert running.applied == []


def test_where_the_file_cannot_be_written_the_page_makes_live_changes(running: Running) -> None:
    running.file.with_name("edgeagent.yaml.new").mkdir()
    before = running.file.read_bytes()
    result, left = PageEditor(running.live, running.state).configure(DOCK, None, "anna")
    assert "sudo edgeagent live save" in (left or "")
    assert (result.applied, set(result.waiting)) == (("cameras.dock",), {"mqtt.host", "mqtt.username"})
    assert running.file.read_bytes() == before
    running.start()
    assert running.live.settings.mqtt.host == "broker", "it counts from the next start on"


def test_commands_without_an_agent(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["-c", str(running.file)]
    running.live.propose({KEY: 0.5, "cameras.yard.weight": 2.0}, "anna")
    assert main(["reload", *where]) == 1
    assert "no agent answers" in capsys.readouterr().err
    assert main(["live", "show", *where]) == 0
    assert "no agent runs" in capsys.readouterr().out
    assert main(["live", "undo", *where, "device"]) == 2
    assert main(["live", "undo", *where, KEY]) == 0
    assert [one.key for one in read_changes(running.state)] == ["cameras.yard.weight"]
    assert main(["live", "save", *where]) == 0
    assert load_settings(running.file).cameras[0].weight == 2.0
    assert read_changes(running.state) == ()


def connect(state: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(state) as path:
        connection.connect(path)
    return connection


@pytest.mark.parametrize(
    "content",
    [b"\n", b"{}\n", b"\xff\n", b"[]\n", b"null\n", b'{"request": "set"}\n', b"x" * (MOST_BYTES + 2)],
)
def test_bad_requests_are_refused(content: bytes, state: Path) -> None:
    with connect(state) as connection:
        connection.sendall(content)
        answer = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    assert (answer["ok"], answer["code"]) == (False, ConfigurationError.exit_code)


def test_clients_that_leave_hold_nobody_up(state: Path) -> None:
    for content in (b"", b'{"request": "show"}'):
        with connect(state) as connection:
            connection.sendall(content)
    assert ask_agent(state, {"request": "show"})["waiting"] == {}


def test_a_socket_of_an_agent_that_was_killed_is_replaced(running: Running) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead, short_path(running.state) as path:
        dead.bind(path)
    with pytest.raises(NoAgentError):
        ask_agent(running.state, {"request": "show"})
    control = Control(running.live, running.state)
    control.start()
    assert ask_agent(running.state, {"request": "show"})["waiting"] == {}
    control.stop()


def test_credentials_of_cameras_are_not_shown(tmp_path: Path) -> None:
    running = Running(tmp_path, FILE.replace("/dev/video0", "rtsp://anna:secret@10.0.0.7/live"))
    control = Control(running.live, running.state)
    control.start()
    shown = json.dumps(ask_agent(running.state, {"request": "show"}))
    control.stop()
    assert "secret" not in shown
    assert "10.0.0.7" in shown
