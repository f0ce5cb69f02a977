"""Repositories of a small bundle that really detects, and the state of a board on which the first is good."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.store import FOLDER, Store
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.signed_repository import Repository, in_days
from tests.engines.cell_detector import build_bundle
from tests.engines.test_verified_loading import flip_a_bit

NAME, CONFIGURED, FIRST, SECOND = "tiny", "0.0.1", "1.0.0", "2.0.0"
MODEL = "engines/tiny.onnx"


@dataclass(frozen=True)
class Offers:
    """What boards are given.

    Repositories are folders of ``repositories``, named by the newest version and what is wrong with them,
    such as ``2.0.0`` and ``1.0.0-expired``.

    Attributes:
        bundle: of the configuration.
        pictures: folder that is the camera.
        repositories: folder of them.
        root: trusted root of all of them.
        state: state folder of a board on which the first release is good.
        known: SHA-256 of all files of all releases.
    """

    bundle: Path
    pictures: Path
    repositories: Path
    root: bytes
    state: Path
    known: frozenset[str]


def prepare(folder: Path) -> Offers:
    """Make everything below a folder."""
    build_bundle(folder / "configured", version=CONFIGURED)
    repository, repositories = Repository(folder / "repository"), folder / "repositories"
    known = set()
    releases = []
    for version in (FIRST, SECOND):
        directory = build_bundle(folder / version, version=version).directory
        files = {
            str(path.relative_to(directory)): path.read_bytes()
            for path in directory.rglob("*")
            if path.is_file()
        }
        known |= {hashlib.sha256(content).hexdigest() for content in files.values()}
        releases.append(repository.add({MANIFEST: b"", **files}, name=NAME, version=version))
        shutil.copytree(repository.folder, repositories / version)
        _spoil(repository, repositories, version)
    _deliver(folder / "state", repositories / FIRST, repository.trusted, releases[0], folder / FIRST)
    root = repository.trusted.read_bytes()
    pictures = folder / "configured" / "golden"
    return Offers(folder / "configured", pictures, repositories, root, folder / "state", frozenset(known))


def _spoil(repository: Repository, repositories: Path, version: str) -> None:
    """Add the same repository with expired metadata, changed files, and another key; mend it again."""
    channel = repository.channels["stable"].signed
    shutil.copytree(repository.folder, repositories / f"{version}-altered")
    for target in channel.targets.values():
        if target.path.endswith(MODEL):
            flip_a_bit(repositories / f"{version}-altered" / "targets" / target.get_prefixed_paths()[0])
    right, expires = repository.signers["timestamp"], repository.timestamp.signed.expires
    repository.timestamp.signed.expires = in_days(-1)
    repository.publish()
    shutil.copytree(repository.folder, repositories / f"{version}-expired")
    repository.timestamp.signed.expires = expires
    repository.signers["timestamp"] = [CryptoSigner.generate_ed25519()]
    repository.publish()
    shutil.copytree(repository.folder, repositories / f"{version}-forged")
    repository.signers["timestamp"] = right
    repository.publish()


def _deliver(state: Path, repository: Path, root: Path, release: Release, bundle: Path) -> None:
    store = Store(state / FOLDER)
    settings = DeliverySettings(repository=str(repository), root=root)
    Client(settings, store.folder / "metadata").refresh()
    model = installed(release)
    shutil.copytree(bundle, store.slots.partial(model), dirs_exist_ok=True)
    store.slots.seal(model, [name for name in release.files if name != MANIFEST])
    store.begin(model, "channel")
    for step in ("verifying", "staged", "gating", "trial", "good"):
        store.move(step)
    store.close()
