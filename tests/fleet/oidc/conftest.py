"""The store of a small fleet, as in ``tests.fleet.page``."""

from __future__ import annotations

from tests.fleet.page.conftest import store

__all__ = ["store"]
