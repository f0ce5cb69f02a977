"""One operator of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Constant = npt.NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operator with its attributes as Python values."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
