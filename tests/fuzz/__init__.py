"""Fuzzers of everything that comes from outside: files, messages, names.

Each is bounded in the normal run; ``EDGEAGENT_FUZZ=N`` tries N examples (``make fuzz``). Inputs that failed
once are examples of their test.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("EDGEAGENT_FUZZ", "25"))

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Settings of every fuzzer."""

DEEP = b"[" * 200_000
"""Nested more deeply than Python's stack."""

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
"""Whatever JSON can hold, NaN and infinities included."""
