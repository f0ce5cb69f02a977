"""What delegates compile, kept for the next start: TensorRT engines and timing caches.

A folder belongs to one artefact, the versions of the packages that made it, and one board; whatever of these
changes leads to another folder, so that a stale cache is never offered. Folders of other keys are left to the
operator, who may delete the whole cache at any time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from edgeagent.engines.delegates import CACHE
from edgeagent.errors import EngineError

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-cu12", "openvino")
NOTE = "made-for.txt"
"""In each folder, for people: whose cache it is."""
IDENTITY = ("proc/device-tree/model", "etc/nv_tegra_release", "proc/driver/nvidia/version")


def with_cache(options: Mapping[str, str], artefact: Path, cache: Path | None) -> dict[str, str]:
    """Return options with the folder of this artefact in place of the marker.

    Args:
        options: of a delegate of the catalogue.
        artefact: file that is loaded.
        cache: root of all such folders; without one the options that need it are left out.

    Raises:
        EngineError: the folder cannot be made or written.
    """
    if not any(CACHE in value for value in options.values()):
        return dict(options)
    if cache is None:
        needless = {name.removesuffix("_path") for name, value in options.items() if CACHE in value}
        return {name: value for name, value in options.items() if not name.startswith(tuple(needless))}
    folder = cache / cache_key(artefact)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # also finds out whether the delegate will be able to write
        (folder / NOTE).write_text(f"{artefact}\n{_versions()}\n", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise EngineError(
            f"{folder}: the engine cache cannot be written ({error.strerror}); make room, or give a folder "
            "that this user may write"
        ) from error
    return {name: value.replace(CACHE, str(folder)) for name, value in options.items()}


def cache_key(artefact: Path, root: Path = Path("/")) -> str:
    """Return 32 hex digits for an artefact, the packages that compile it, and this board."""
    digest = hashlib.sha256(hashlib.sha256(artefact.read_bytes()).digest())
    digest.update(_versions().encode())
    for name in IDENTITY:
        path = root / name
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()[:32]


def _versions() -> str:
    return "".join(f"{package}={_version(package)};" for package in PACKAGES)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"
