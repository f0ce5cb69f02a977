"""Form of the schemas: absent instead of null, open lists of values, a description for every field.

The result passes the strict mode of AJV: no unknown keyword or format, a type beside every keyword that needs
one, and no keyword without effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FURTHER = "A value of a later program."


def as_sent(schema: Any) -> Any:
    """Return a pydantic schema adapted to the wire format: an unknown value is absent, never null."""
    if isinstance(schema, list):
        return [as_sent(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: as_sent(part)
        for key, part in schema.items()
        if not (key == "title" and isinstance(part, str))  # repeats the name
        and not (key == "discriminator" and "oneOf" in schema)  # OpenAPI syntax; AsyncAPI differs
    }
    if isinstance(text := found.get("description"), str):
        found["description"] = " ".join(text.partition("\n\n")[0].replace("``", "`").split())
    if "default" in found and found["default"] is None:
        del found["default"]
        known = [part for part in found.get("anyOf", ()) if part != {"type": "null"}]
        found["anyOf"] = known
        if len(known) == 1:
            del found["anyOf"]
            found.update(known[0])
    if isinstance(parts := found.get("prefixItems"), list):  # a tuple of one type
        (found["items"],) = [part for place, part in enumerate(parts) if part not in parts[:place]]
        del found["prefixItems"]
    return found


def open_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a message, or of a part of one, whose lists of values may grow.

    What the device receives, which has no further keys, stays closed.
    """
    return schema if schema.get("additionalProperties") is False else _open(schema)


def described(schema: dict[str, Any], about: Mapping[str, str]) -> dict[str, Any]:
    """Return the schema of a type with a description for each of its fields.

    Args:
        schema: schema with ``properties``.
        about: description by field.
    """
    properties = {}
    for name, part in schema["properties"].items():
        other = {key: value for key, value in part.items() if key != "description"}
        if "$ref" in other:  # draft 7 ignores what stands beside a reference
            other = {"allOf": [other]}
        properties[name] = {"description": about[name], **other}
    return {**schema, "properties": properties}


def _open(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    values = _values(schema)
    if values is not None:
        rest = {key: part for key, part in schema.items() if key not in ("enum", "type", "anyOf")}
        known = {"type": "string", "enum": values}
        return {**rest, "anyOf": [known, {"description": FURTHER, "type": "string"}]}
    return {key: _open(part) for key, part in schema.items() if key != "propertyNames"}


def _values(schema: Mapping[str, Any]) -> list[str] | None:
    """Return the values of a text with a list of values; None for every other schema."""
    if isinstance(schema.get("enum"), list) and schema.get("type") == "string":
        return list(schema["enum"])
    parts = schema.get("anyOf")
    if not isinstance(parts, list) or not all(part.get("type") == "string" for part in parts):
        return None
    found = [[part["const"]] if "const" in part else part.get("enum", []) for part in parts]
    return [value for values in found for value in values] if all(found) else None
