"""The daemon in strange homes, as a process of its own with a real broker: its first telemetry arrives."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import edgeagent
from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.daemon.running import Consumer, running
from tests.included import QUICK_NAME

SOURCES = str(Path(edgeagent.__file__).parents[1])
CAPABILITIES = "+dac_override,+dac_read_search"  # to read this installation, as an image would let everybody
UNKNOWN_USER = (
    "setpriv",
    *("--reuid", "54321", "--regid", "54321", "--clear-groups"),
    *("--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES),
)
RANDOM_NAME = "0123456789ab"
CONTAINER = (
    *("unshare", "--uts", "--mount", "sh", "-c"),
    f'mount -t tmpfs none /run && touch /run/.containerenv && hostname {RANDOM_NAME} && exec "$@"',
    "sh",
)
"""A namespace that looks like one of Podman."""
BARE = {"PATH": os.defpath, "PYTHONPATH": SOURCES}
NO_SQLITE = """import sys

sys.modules["_sqlite3"] = sys.modules["sqlite3"] = None
"""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv to be another user"
)


def settings(folder: Path, port: int, **more: Any) -> dict[str, Any]:
    return {
        "device": "board",
        "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "telemetry": {"interval": "1s"},
        "accuracy": {"golden_every": None, "drift": False},
        **more,
    }


@needs_root
def test_a_user_without_a_home_and_a_name_detects(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, "board") as consumer:
        wanted = settings(tmp_path, broker.port, state=str(tmp_path / "state"))
        with running(tmp_path, wanted, UNKNOWN_USER, BARE) as daemon:
            consumer.wait_for("telemetry", lambda m: m["cameras"]["yard"]["frames_processed"] > 0)
            assert daemon.stop() == 0, daemon.log()
        assert "Traceback" not in daemon.log()
        assert (tmp_path / "state").stat().st_uid == 54321


@needs_root
def test_a_user_without_a_home_is_told_to_give_a_state_folder(tmp_path: Path) -> None:
    with running(tmp_path, settings(tmp_path, 1), UNKNOWN_USER, BARE) as daemon:
        assert daemon.wait() == 2, daemon.log()
        assert "Traceback" not in daemon.log()
        assert "`state`" in daemon.log()


def test_a_python_without_sqlite_detects(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_SQLITE, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SOURCES}"}
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, "board") as consumer:
        wanted = settings(tmp_path, broker.port, state=str(tmp_path / "state"))
        with running(tmp_path, wanted, environment=environment) as daemon:
            told = consumer.wait_for("telemetry", lambda m: m["cameras"]["yard"]["frames_processed"] > 0)
            assert told["spool"]["state"] == "memory"
            assert daemon.stop() == 0, daemon.log()
        assert "Traceback" not in daemon.log()
        assert "this Python has no sqlite3" in daemon.log()
        assert not (tmp_path / "state" / "spool.db").exists()


@needs_root
def test_the_random_name_of_a_container_is_said_in_a_line(tmp_path: Path) -> None:
    if subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the permission to make namespaces")
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, RANDOM_NAME) as consumer:
        wanted = settings(tmp_path, broker.port, state=str(tmp_path / "state"))
        del wanted["device"]
        with running(tmp_path, wanted, CONTAINER) as daemon:
            consumer.wait_for("telemetry", lambda m: True)
            assert daemon.stop() == 0, daemon.log()
        (line,) = [line for line in daemon.log().splitlines() if "host name" in line]
        assert f"the device is called {RANDOM_NAME}, the random host name of this container" in line
