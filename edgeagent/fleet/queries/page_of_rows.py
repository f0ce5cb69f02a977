"""Part of a long list."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_ROWS, MOST_ROWS, MOST_PAGE = 50, 500, 100_000


@dataclass(frozen=True, slots=True)
class PageOfRows:
    """Which part of a list is asked for.

    Attributes:
        number: of the part, from 1.
        size: rows in each part.
    """

    number: int = 1
    size: int = PAGE_ROWS

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters ``limit`` and ``offset`` of a statement."""
        size = min(max(self.size, 1), MOST_ROWS)
        return {"limit": size, "offset": (min(max(self.number, 1), MOST_PAGE) - 1) * size}
