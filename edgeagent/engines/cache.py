"""Cache of what delegates compile: TensorRT engines and timing caches.

A cache folder belongs to one artefact, the versions of the packages that compiled it, and one board. A change
of any of these gives another folder, so that a stale cache is never used. Old folders are not deleted; the
operator may delete the whole cache at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edgeagent.engines.delegates import CACHE
from edgeagent.errors import EngineError
from edgeagent.files.hashing import hash_file

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-cu12", "openvino")
NOTE = "made-for.txt"
"""File in each folder that names the artefact and the versions it was compiled with."""
IDENTITY = ("proc/device-tree/model", "etc/nv_tegra_release", "proc/driver/nvidia/version")


def with_cache(options: Mapping[str, str], artefact: Path, cache: Path | None) -> dict[str, str]:
    """Return options with the cache folder of an artefact in place of the marker ``{cache}``.

    Args:
        options: of a delegate of the catalogue.
        artefact: file that is loaded.
        cache: root of all cache folders; None leaves out the options that need one.

    Raises:
        EngineError: the folder cannot be created or written.
    """
    if not any(CACHE in value for value in options.values()):
        return dict(options)
    if cache is None:
        needless = {name.removesuffix("_path") for name, value in options.items() if CACHE in value}
        return {name: value for name, value in options.items() if not name.startswith(tuple(needless))}
    folder = cache / cache_key(artefact)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # the delegate itself reports a read-only folder only deep in a build
        (folder / NOTE).write_text(f"{artefact}\n{_versions()}\n", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise EngineError(
            f"{folder}: the engine cache cannot be written ({error.strerror}); make room, or give a folder "
            "that this user may write"
        ) from error
    return {name: value.replace(CACHE, str(folder)) for name, value in options.items()}


def cache_key(artefact: Path, root: Path = Path("/")) -> str:
    """Return a key of 32 hex digits of an artefact, the packages that compile it, and this board."""
    digest = hashlib.sha256(bytes.fromhex(hash_file(artefact)))
    digest.update(_versions().encode())
    for name in IDENTITY:
        path = root / name
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()[:32]


def _versions() -> str:
    return "".join(f"{package}={_version(package)};" for package in PACKAGES)


def _version(package: str) -> str:
    import importlib.metadata  # takes 2 MB, and most workers need none of it

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"
