"""List of the API's operations, from its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeagent.web.views.markup import card, table, text

PREFIX = "/api/v1"


def write_api_page(openapi: Mapping[str, Any]) -> str:
    """Return the HTML of the view.

    Args:
        openapi: description of the API (OpenAPI 3.1).
    """
    rows = []
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            names = ", ".join(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
            rows.append(
                [
                    f"<code>{text(method.upper())} {text(PREFIX + path)}</code>",
                    text(names),
                    text(operation.get("summary", "")),
                ]
            )
    about = (
        "Programs send <code>Authorization: Bearer TOKEN</code>; an admin issues tokens under Users, or "
        "<code>edgeagent fleet users token NAME</code> does. "
        '<a href="/api/v1/openapi.json">openapi.json</a> describes all requests and answers; Prometheus reads <code>/metrics</code>.'
    )
    return '<div class="head"><h1>API</h1></div>' + card(
        "operations",
        "Operations",
        table("Operations", ["Operation", "Query", "What"], rows, numeric=False),
        about,
        wide=True,
    )
