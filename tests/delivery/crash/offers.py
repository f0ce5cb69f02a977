"""A signed repository of two releases of a bundle that really detects, before and after the second."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.repository.channel import Channel, Release
from tests.delivery.signed_repository import Repository
from tests.engines.cell_detector import build_bundle

NAME, VERSIONS = "tiny", ("1.0.0", "2.0.0")
CONFIGURED = "configured"
INDEX = "index.json"


def prepare(folder: Path) -> None:
    """Make ``repository-1`` and ``repository-2``, and the bundle of the configuration."""
    build_bundle(folder / CONFIGURED, version="0.0.1")
    repository = Repository(folder / "repository")
    for number, version in enumerate(VERSIONS, 1):
        bundle = build_bundle(folder / f"bundle-{number}", version=version).directory
        files = {str(p.relative_to(bundle)): p.read_bytes() for p in bundle.rglob("*") if p.is_file()}
        repository.add({MANIFEST: b"", **files}, name=NAME, version=version)
        shutil.copytree(repository.folder, folder / f"repository-{number}")
    index = Channel(channel="stable", releases=tuple(repository.releases["stable"]))
    (folder / INDEX).write_text(index.model_dump_json())


def releases(folder: Path) -> tuple[Release, ...]:
    """Return the releases that were made in a folder."""
    return Channel.model_validate_json((folder / INDEX).read_bytes()).releases
