"""The shared development data; a test that reads it is marked ``data``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "EDGEAGENT_DATA"


def shared(*names: str) -> Path:
    """Return a path below ``../shared``, or below the folder in the variable; skip the test without it."""
    root = os.environ.get(VARIABLE) or Path(__file__).parents[2] / "shared"
    path = Path(root).joinpath(*names)
    if not path.exists():
        pytest.skip(f"needs the development data {'/'.join(names)} (in ../shared, or in ${VARIABLE})")
    return path
