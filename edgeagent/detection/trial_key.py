"""Key of a trial: name of the candidate, and a hash of all that its verdict depends on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import platform

from edgeagent.bundle.manifest import Manifest
from edgeagent.detection.candidates import Candidate
from edgeagent.version import __version__

PACKAGES = (
    "onnxruntime",
    "openvino",
    "ai-edge-litert",
    "tflite-runtime",
    "tensorrt",
    "hailort",
    "rknn-toolkit-lite2",
)


def trial_key(
    manifest: Manifest, candidate: Candidate, threads: tuple[int, ...], cpus: tuple[int, ...]
) -> str:
    """Return the key of a trial.

    Args:
        manifest: of the bundle.
        candidate: an artefact on a delegate.
        threads: numbers of threads that are tried.
        cpus: processors that a worker may use; empty for all.
    """
    facts = {
        "agent": __version__,
        "artefact": candidate.artefact.sha256,
        "golden": manifest.golden.sha256 if manifest.golden else None,
        "options": dict(candidate.delegate.options),
        "library": candidate.delegate.library,
        "threads": threads,
        "cpus": cpus,
        "machine": [platform.machine(), platform.release()],
        "packages": dict(_versions()),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{candidate.name} {digest[:16]}"


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append((package, importlib.metadata.version(package)))
    return tuple(found)
