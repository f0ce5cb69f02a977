"""Lenient reading of fields: of a newer message, what is known; of a damaged one, why it is not.

Unknown fields are ignored and unknown words are kept: a newer device may send both. A known field of another
type, or a missing one, refuses the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

LONGEST_TEXT = 8192
LONGEST_WORD = 256
MOST_ENTRIES = 1024
"""Characters and entries of a field at most: longer texts are cut, more entries refuse the message."""
LARGEST_COUNT = 2**63 - 1
_INDICES = frozenset(map(str, range(-9999, 10000)))
"""Indices of buckets; those of the contract are from -426 to 1015."""
LARGEST_NUMBER = 1e15
"""Numbers of either sign at most: sums and products of larger ones are infinite, and one message would spoil
the figures of all devices."""


class UnreadableError(Exception):
    """A message that cannot be stored.

    Attributes:
        reason: word for the reason.
        text: sentence with the field.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def _wrong(name: str, expected: str, value: Any) -> UnreadableError:
    found = "is missing" if value is None else f"is {type(value).__name__}"
    return UnreadableError("field", f"{name} {found}, expected {expected}")


def text_field(fields: Mapping[str, Any], name: str) -> str:
    """Return a text; a longer one than :data:`LONGEST_TEXT` is cut."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "text", value)
    return value[:LONGEST_TEXT]


def maybe_text(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a text, or None where it is absent."""
    return None if fields.get(name) is None else text_field(fields, name)


def word(fields: Mapping[str, Any], name: str) -> str:
    """Return a short text, of at most :data:`LONGEST_WORD` characters."""
    return text_field(fields, name)[:LONGEST_WORD]


def maybe_word(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a short text, or None where it is absent."""
    return None if fields.get(name) is None else word(fields, name)


def number_field(fields: Mapping[str, Any], name: str) -> float:
    """Return a number from -:data:`LARGEST_NUMBER` to :data:`LARGEST_NUMBER`."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, "a number", value)
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:  # no NaN either
        raise UnreadableError("field", f"{name} is no number from {-LARGEST_NUMBER:g} to {LARGEST_NUMBER:g}")
    return value


def maybe_number(fields: Mapping[str, Any], name: str) -> float | None:
    """Return a finite number, or None where it is absent."""
    return None if fields.get(name) is None else number_field(fields, name)


def count(fields: Mapping[str, Any], name: str) -> int:
    """Return an integer from 0."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_COUNT:
        raise _wrong(name, "an integer from 0", value)
    return value


def maybe_count(fields: Mapping[str, Any], name: str) -> int | None:
    """Return an integer from 0, or None where it is absent."""
    return None if fields.get(name) is None else count(fields, name)


def yes_or_no(fields: Mapping[str, Any], name: str) -> bool:
    """Return true or false."""
    value = fields.get(name)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def section(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object; one that is absent is empty."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    if len(value) > MOST_ENTRIES:
        raise UnreadableError("field", f"{name} has {len(value)} entries, more than {MOST_ENTRIES}")
    return value


def sections(fields: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the objects in an object, by name."""
    inner = section(fields, name)
    return [(key[:LONGEST_WORD], section(inner, key)) for key in inner]


def entries_field(fields: Mapping[str, Any], name: str) -> list[Any]:
    """Return an array; one that is absent is empty."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(name, "an array", value)
    if len(value) > MOST_ENTRIES:
        raise UnreadableError("field", f"{name} has {len(value)} entries, more than {MOST_ENTRIES}")
    return value


def objects_of(fields: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return an array of objects."""
    for each in entries_field(fields, name):
        if not isinstance(each, dict):
            raise _wrong(f"an entry of {name}", "an object", each)
    return entries_field(fields, name)


def words(fields: Mapping[str, Any], name: str) -> list[str]:
    """Return an array of texts, each at most :data:`LONGEST_WORD` characters."""
    for each in entries_field(fields, name):
        if not isinstance(each, str):
            raise _wrong(f"an entry of {name}", "text", each)
    return [each[:LONGEST_WORD] for each in entries_field(fields, name)]


def box(fields: Mapping[str, Any], name: str) -> list[float]:
    """Return four finite numbers: x1, y1, x2, y2."""
    value = entries_field(fields, name)
    if len(value) != 4:
        raise UnreadableError("field", f"{name} has {len(value)} entries, expected 4 numbers")
    return [number_field({name: each}, name) for each in value]


def histogram(fields: Mapping[str, Any]) -> dict[str, int]:
    """Return the ``buckets`` of a stage: index as text to count."""
    buckets = section(fields, "buckets")
    if not buckets:
        return {}
    # Whole sets and extremes at once: most of the time for a message would go into a loop here.
    if not buckets.keys() <= _INDICES:
        index = next(index for index in buckets if index not in _INDICES)
        raise UnreadableError("field", f"buckets: {index[:20]} is no index")
    counts = buckets.values()
    if set(map(type, counts)) != {int} or min(counts) < 0 or max(counts) > LARGEST_COUNT:
        raise UnreadableError("field", "buckets: a count is no integer from 0")
    return dict(buckets)


def moment(fields: Mapping[str, Any], name: str = "time") -> datetime:
    """Return a time with a zone, as ISO 8601 writes it."""
    value = fields.get(name)
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.replace("Z", "+00:00") if value.endswith("Z") else value)
        except ValueError:
            raise UnreadableError("field", f"{name} {value[:40]} is no time in ISO 8601") from None
        if found.tzinfo is not None:
            try:
                return found.astimezone(timezone.utc)
            except OverflowError:
                pass
        raise UnreadableError("field", f"{name} {value[:40]} has no time zone")
    raise _wrong(name, "a time in ISO 8601", value)


def maybe_moment(fields: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time, or None where it is absent."""
    return None if fields.get(name) is None else moment(fields, name)
