"""Mark of tests that build packages or trace whole commands for minutes: `make system-test` runs them."""

from __future__ import annotations

import os

import pytest

LONG = pytest.mark.skipif(
    not os.environ.get("EDGEAGENT_SYSTEM"), reason="takes minutes: make system-test, or set EDGEAGENT_SYSTEM"
)
