"""Manifest as readable YAML: fields in the order of the schema, unknown fields last."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic_core import to_jsonable_python

from edgeagent.bundle.manifest import Manifest

_WIDTH = 100
_HEADER = "# Manifest of a model bundle; docs/bundle.md of edgeagent describes every field.\n"


def manifest_data(manifest: Manifest) -> dict[str, Any]:
    """Return the fields as plain data (dicts, lists, text, numbers, booleans, None), known fields first."""
    data: dict[str, Any] = to_jsonable_python(manifest.model_dump())  # keeps infinity a number
    return {"schema_version": data.pop("schema_version"), **data}


def manifest_text(manifest: Manifest) -> str:
    """Return the content of ``manifest.yaml``; parsing it gives an equal manifest."""
    text: str = yaml.dump(
        manifest_data(manifest), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    return _HEADER + text


class _Dumper(yaml.SafeDumper):
    """YAML writer with short lists on one line and without anchors, which the parser refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_list(dumper: _Dumper, items: list[Any]) -> yaml.Node:
    plain = not any(isinstance(item, list | dict) for item in items)
    short = plain and len(str(items)) < _WIDTH
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    # PyYAML escapes line breaks such as U+0085 only in double quotes and loses them otherwise
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)
