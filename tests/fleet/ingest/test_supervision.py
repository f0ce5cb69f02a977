"""Processes of an ingest that is stopped at its start, or whose folder is removed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.fleet.ingest.options import IngestOptions
from edgeagent.fleet.ingest.supervisor import STORE, IngestSupervisor
from edgeagent.fleet.store.endpoint import SOCKET
from edgeagent.settings.sections.mqtt import MqttSettings
from tests.fleet.ingest.running import PATIENCE_S, ROOT, fleet_broker, wait_for


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Folder of a store whose path is short enough for its socket."""
    with tempfile.TemporaryDirectory(prefix="fleet") as name:
        yield Path(name) / "store"


def options(folder: Path) -> IngestOptions:
    return IngestOptions(store=str(folder), broker=MqttSettings(host="127.0.0.1", port=1))


def test_an_ingest_that_is_stopped_at_its_start_starts_no_worker(short_folder: Path) -> None:
    supervisor = IngestSupervisor(options(short_folder))
    supervisor.stop()
    started: list[dict[str, int]] = []
    supervisor.run(lambda: started.append(supervisor.pids()))
    assert not started
    assert not supervisor.pids()


def test_a_store_whose_folder_is_removed_ends_to_be_opened_anew(short_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", STORE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{options(short_folder).model_dump_json()}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        shutil.rmtree(short_folder)
        assert process.wait(PATIENCE_S) == 1
        assert f"{short_folder / SOCKET} was removed, or the folder was" in process.stderr.read()


def test_a_broker_that_is_away_is_told_and_success_only_once_it_is_there(
    tmp_path: Path, short_folder: Path
) -> None:
    broker, log = fleet_broker(tmp_path), tmp_path / "log"
    command = [sys.executable, "-m", "edgeagent", "fleet", "ingest", "--store", str(short_folder)]
    command += ["--broker", f"127.0.0.1:{broker.port}", "--name", "test"]
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, cwd=ROOT) as process:
        try:
            told = f"broker 127.0.0.1:{broker.port} cannot be reached ("
            wait_for(lambda: log.read_text().count(told) == 2, "the reader and the worker")
            assert "refused); trying again" in log.read_text()
            assert "messages are stored" not in log.read_text()
            with broker:
                wait_for(lambda: "messages are stored in" in log.read_text(), "success")
                assert log.read_text().count("connected and subscribed") == 2
                assert log.read_text().count("messages are stored in") == 1
        finally:
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
