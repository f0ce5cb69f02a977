"""Our client behind the command line of the tuf-conformance suite, and under the suite itself."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Targets

from edgeagent.delivery.errors import WrongClockError
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.repository.clock import utcnow
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.conftest import MODEL
from tests.delivery.repository import conformance_client
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository, altered, in_days

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

    def download(self, *names: str) -> int:
        targets = [word for name in names for word in ("--target-name", name)]
        return self._run(*self._urls, *self._download, *targets, "download")

    def _run(self, *arguments: str) -> int:
        command = [sys.executable, str(PROGRAM), "--metadata-dir", str(self.metadata), *arguments]
        return subprocess.run(command, env=ENVIRONMENT, check=False).returncode


class Diamond(Repository):
    """A repository whose channels ``stable`` and ``gates`` delegate to one role, with another key each."""

    def __init__(self, folder: Path, *paths: str) -> None:
        super().__init__(folder, ("stable", "gates"))
        self._keys = [CryptoSigner.generate_ed25519() for _ in paths]
        self.channels["shared"] = Metadata(Targets(expires=in_days(30)))
        self.signers["shared"] = self._keys[:1]
        for path, signer in zip(paths, self._keys, strict=True):
            key, channel = signer.public_key, path.partition("/")[0]
            role = DelegatedRole("shared", [key.keyid], 1, False, [f"{channel}/x/*"])
            self.channels[channel].signed.delegations = Delegations({key.keyid: key}, {"shared": role})
            self.write_target("shared", path, path.encode())
        self.publish("stable", "gates", "shared")

    def sign_with_both(self) -> None:
        """Sign the shared role with the keys of both."""
        self.signers["shared"] = self._keys
        self.publish("shared")


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


def test_two_delegators_of_one_role(repository: Repository, server: Server, tmp_path: Path) -> None:
    """The case ``test_cached_role_is_verified_against_current_delegator`` of the suite.

    Both channels delegate a part of theirs to the role ``shared``, to another key each; it is signed with one
    of them. What one lookup has verified must not count for the other, in one client as in two.
    """
    good, bad = "stable/x/a", "gates/x/b"
    diamond = Diamond(tmp_path / "diamond", good, bad)
    with Server(diamond.folder) as running:
        program = Program(tmp_path, running)
        assert program.init(diamond.trusted) == 0
        assert program.download(good, bad) == 1
        assert [path.read_bytes() for path in program.targets.iterdir()] == [good.encode()]
        assert program.download(bad) == 1
        assert program.download(good) == 0
        diamond.sign_with_both()
        assert program.download(good, bad) == 0
        assert len(list(program.targets.iterdir())) == 2


def test_the_client_checks_the_clock(repository: Repository, server: Server, tmp_path: Path) -> None:
    """The program is the device's client, not its parts: a wrong clock is refused before anything is read."""
    client = conformance_client._client(f"{server.url}/", tmp_path)
    shutil.copyfile(repository.trusted, tmp_path / "initial_root")
    client.refresh_metadata()
    late = Client(
        DeliverySettings(repository=server.url, root=repository.trusted),
        tmp_path / "late",
        lambda: utcnow() + timedelta(days=3),
    )
    with pytest.raises(WrongClockError):
        late.refresh_metadata()
    with pytest.raises(WrongClockError):
        late.fetch_target("stable/channel.json", tmp_path / "index")


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
