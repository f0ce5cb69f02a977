"""Which rows a visitor may see: those of one tenant, or all.

A tenant is the prefix of the topics of its devices; "" is that of ``edgeagent/v1/...`` without one.
"""

from __future__ import annotations

ALL = "*"
OF_TENANT = "({tenant:String} = '*' OR tenant = {tenant:String})"
"""Condition of each statement; ``tenant`` is the parameter :data:`ALL`, or the tenant."""
