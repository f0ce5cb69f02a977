"""Addresses of the page: filters, sorting and part of a list are in them, so that they can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

LONGEST_VALUE = 200
NO_TENANT = "-"
"""Stands in a path for devices without a tenant; no tenant has this name alone."""


def place(path: str, given: Mapping[str, object], **changes: object) -> str:
    """Return an address; empty values are left out.

    Args:
        path: of the page.
        given: present values.
        changes: values that replace them.
    """
    values = {name: value for name, value in {**given, **changes}.items() if value not in ("", None)}
    return f"{path}?{urlencode(values)}" if values else path


def device_place(tenant: str, device: str, path: str = "/devices") -> str:
    """Return the address of a device."""
    return f"{path}/{quote(tenant or NO_TENANT, safe='')}/{quote(device, safe='')}"


def tenant_in(path: str) -> str:
    """Return the tenant of a path, as :func:`device_place` writes it."""
    return "" if path == NO_TENANT else path


def short_values(given: Mapping[str, str]) -> dict[str, str]:
    """Return the values of an address, each cut to :data:`LONGEST_VALUE` characters."""
    return {name: value[:LONGEST_VALUE] for name, value in given.items()}
