"""The page of the fleet, as in ``tests.fleet.page``."""

from __future__ import annotations

from tests.fleet.page.conftest import page, store

__all__ = ["page", "store"]
