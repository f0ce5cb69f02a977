"""Values of the parameters of a query, in the form that ClickHouse reads them: the text of TabSeparated."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from edgeagent.fleet.store.protocol import StoreError

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}


def parameter_text(value: Any) -> str:
    """Return the text of a value: None, text, a number, a time with a zone, or a list of these.

    Raises:
        StoreError: a value of another type.
    """
    if value is None:
        return "\\N"
    if isinstance(value, list | tuple):
        return f"[{','.join(_element(each) for each in value)}]"
    return _escaped(_plain(value))


def time_text(time: datetime) -> str:
    """Return a time with a zone as ClickHouse writes it, in UTC with milliseconds."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return _plain(value)
    text = _escaped(_plain(value)).replace("'", "\\'")
    return f"'{text}'"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, str | int | float):
        return str(value)
    raise StoreError(f"a parameter of a query is a {type(value).__name__}; expected text, a number or a time")


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in text)
