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
from tests.fleet.ingest.running import PATIENCE_S


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
