"""Environment without the proxies of the machine that runs the tests."""

from __future__ import annotations

import pytest


def remove_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of proxies, in small and in capital letters."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
