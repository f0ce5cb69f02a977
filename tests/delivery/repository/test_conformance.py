"""Our client behind the command line of the tuf-conformance suite, and under the suite itself."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.delivery.conftest import MODEL
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository, altered

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("conformance_client.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Program:
    """The client program with folders of its own."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.metadata = folder / "metadata"
        self.targets = folder / "targets"
        self.metadata.mkdir()
        self.targets.mkdir()
        self._urls = ["--metadata-url", f"{server.url}/metadata/"]
        self._download = ["--target-base-url", f"{server.url}/targets/", "--target-dir", str(self.targets)]

    def init(self, root: Path) -> int:
        return self._run("init", str(root))

    def refresh(self) -> int:
        return self._run(*self._urls, "refresh")

    def download(self, name: str) -> int:
        return self._run(*self._urls, *self._download, "--target-name", name, "download")

    def _run(self, *arguments: str) -> int:
        command = [sys.executable, str(PROGRAM), "--metadata-dir", str(self.metadata), *arguments]
        return subprocess.run(command, env=ENVIRONMENT, check=False).returncode


def test_the_program(repository: Repository, server: Server, tmp_path: Path) -> None:
    program = Program(tmp_path, server)
    target = "stable/coco-nano/1.0.0/model.onnx"
    assert program.init(repository.trusted) == 0
    assert server.asked == []
    assert program.refresh() == 0
    assert {path.name for path in program.metadata.glob("*.json")} == {
        "root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
    }
    assert list(program.targets.iterdir()) == []
    assert program.download(target) == 0
    assert [path.read_bytes() for path in program.targets.iterdir()] == [MODEL]
    server.asked.clear()
    assert program.download(target) == 0
    assert not any(asked.path.startswith("/targets") for asked in server.asked)
    assert program.download("stable/coco-nano/1.0.0/other.onnx") == 1
    altered(repository.folder / "metadata" / "timestamp.json", version=9)
    assert program.refresh() == 1
    assert program.download(target) == 1


@pytest.mark.skipif(
    importlib.util.find_spec("tuf_conformance") is None,
    reason="tuf-conformance is not installed; it is on GitHub only (theupdateframework/tuf-conformance)",
)
def test_the_suite() -> None:
    client = f"{sys.executable} {PROGRAM}"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--pyargs",
        "tuf_conformance",
        "--entrypoint",
        client,
        "-p",
        "no:timeout",
    ]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
