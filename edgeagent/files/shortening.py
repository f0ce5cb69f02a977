"""Text cut to a length."""

from __future__ import annotations


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters, its end cut off where it is longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
