"""docs/bundle.md describes every field, and its example is a valid manifest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.manifest_text import manifest_data
from edgeagent.bundle.reading import parse_manifest

TEXT = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")


def sections(model: Any) -> set[type[BaseModel]]:
    """Return a section with all nested sections."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        inner = (sections(field.annotation) for field in model.model_fields.values())
        return {model}.union(*inner)
    return set().union(*(sections(part) for part in getattr(model, "__args__", ())))


def test_the_example_is_a_manifest() -> None:
    example = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    manifest = parse_manifest(example.group(1).encode(), "docs/bundle.md")
    assert manifest.model_extra == {}
    data = manifest_data(manifest)
    assert {"golden", "evidence", "decoder"} < set(data)


def test_every_field_is_described() -> None:
    tables = "\n".join(line for line in TEXT.splitlines() if line.startswith(("|", "###")))
    described = set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`[^`]*`", tables))))
    fields = {name for section in sections(Manifest) for name in section.model_fields}
    assert fields <= described, fields - described
