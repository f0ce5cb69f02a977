"""First mistake of a document that does not fit its schema, for typed errors of one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True)
class Mistake:
    """A mistake in a document; as text ``field.3.name: what is wrong``.

    Attributes:
        place: keys and list positions that lead to the value; empty for the whole document.
        text: what is wrong, in pydantic's words.
        value: that was given; for errors that may show it.
    """

    place: tuple[int | str, ...]
    text: str
    value: Any

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.place))}: {self.text}" if self.place else self.text


def first_mistake(error: ValidationError) -> Mistake:
    """Return the first of the mistakes that pydantic found."""
    first = error.errors(include_url=False)[0]
    return Mistake(first["loc"], first["msg"].removeprefix("Value error, "), first["input"])
