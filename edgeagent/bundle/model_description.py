"""Description of a float model, from a file beside it, a named file or an existing bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from edgeagent.bundle.manifest import Manifest, ModelDescription
from edgeagent.bundle.reading import open_bundle
from edgeagent.errors import DataError
from edgeagent.files.resources import find_bundle
from edgeagent.files.yaml_model import load_model


class FloatModelDescription(ModelDescription):
    """Description of a float model.

    Attributes:
        heads: names of the tensors or nodes where the integer part ends, ``NAME`` or ``ROLE=NAME`` with a
            role of :data:`edgeagent.bundle.manifest.Role`; empty: found automatically.
    """

    heads: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = ()


def describe_model(model: Path, file: Path | None = None, like: Path | None = None) -> FloatModelDescription:
    """Return the description of a float model: input, decoder, labels.

    Args:
        model: path of the float model.
        file: path of its description; without it and without ``like``, the file beside the model with the
            suffix ``.yaml``.
        like: directory of a bundle whose description applies, or name of an included one.

    Raises:
        DataError: the description is missing or invalid.
        BundleError: the bundle ``like`` is refused.
    """
    if like is not None:
        manifest = open_bundle(find_bundle(like)).manifest
        of_its_files = Manifest.model_fields.keys() - ModelDescription.model_fields.keys()
        return FloatModelDescription.model_validate(manifest.model_dump(exclude=of_its_files))
    advice = (
        f"no description of the model {model.name}; let 'edgeagent qat describe' propose one, write one "
        "(models/yolox-nano.yaml is an example) or name a bundle like it with --like"
    )
    path = file or model.with_suffix(".yaml")
    return load_model(path, FloatModelDescription, "the description", DataError, advice)
