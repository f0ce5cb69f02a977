"""Bundles that a repository can offer: the default one in other versions, sound and broken."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgeagent.bundle.manifest_text import manifest_data
from edgeagent.bundle.reading import MANIFEST, Bundle, open_bundle
from edgeagent.bundle.writing import write_bundle
from edgeagent.delivery.repository.channel import Release
from tests.delivery.signed_repository import Repository
from tests.included import QUICK_BUNDLE

ARTEFACT = "model.onnx"


def sound(directory: Path, version: str = "1.1.0") -> Bundle:
    """The default bundle for ONNX Runtime alone, in another version."""
    return _variant(directory, version, (QUICK_BUNDLE / ARTEFACT).read_bytes())


def scrambled(directory: Path, version: str = "1.2.0") -> Bundle:
    """The same with weights in another order, and hashes that are right for them."""
    model = onnx.load(QUICK_BUNDLE / ARTEFACT)
    random = np.random.default_rng(3)
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.int8 and weights.ndim == 4:
            other = random.permutation(weights.ravel()).reshape(weights.shape)
            tensor.CopyFrom(numpy_helper.from_array(other, tensor.name))
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    return _variant(directory, version, buffer.getvalue())


def offer(repository: Repository, bundle: Bundle, **fields: Any) -> Release:
    """Publish a bundle."""
    names = [MANIFEST, *(artefact.file for artefact in bundle.manifest.artefacts)]
    names += bundle.manifest.golden.sha256 if bundle.manifest.golden else ()
    content = {name: (bundle.directory / name).read_bytes() for name in names}
    manifest = bundle.manifest
    return repository.add(content, name=manifest.name, version=manifest.version, **fields)


def _variant(directory: Path, version: str, artefact: bytes) -> Bundle:
    original = open_bundle(QUICK_BUNDLE)
    data = manifest_data(original.manifest)
    data |= {"version": version, "evidence": {}}
    data["artefacts"] = [one for one in data["artefacts"] if one["file"] == ARTEFACT]
    files: dict[str, Path | bytes] = {name: original.directory / name for name in data["golden"]["sha256"]}
    return write_bundle(directory, data, {**files, ARTEFACT: artefact})
