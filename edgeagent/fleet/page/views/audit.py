"""Audit: who did what."""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.fleet.page.permalinks import place
from edgeagent.fleet.users.user_audit import AuditRow
from edgeagent.web.views.markup import badge, empty, table, text, when_utc


def write_audit(rows: Sequence[AuditRow], search: str, size: int) -> str:
    """Return the HTML of the view.

    Args:
        rows: newest first.
        search: text that they contain.
        size: most rows of a part.
    """
    cells = [
        [
            when_utc(one.time),
            text(one.who or "nobody signed in"),
            text(one.address or "command line"),
            text(one.action),
            text(one.object),
            badge("good", "done") if one.done else badge("bad", "refused"),
            text(one.detail),
        ]
        for one in rows
    ]
    shown = (
        table("Audit", ["Time", "Who", "From", "What", "To", "Result", "More"], cells)
        if rows
        else empty(
            "Nothing yet",
            "Sign-ins, acknowledgements, labels, changes of rollouts and of users are listed here.",
        )
    )
    more = ""
    if len(rows) == size:
        following = place("/audit", {"search": search}, before=rows[-1].id)
        more = f'<nav class="pager" aria-label="Parts of the list"><a class="button quiet" rel="next" href="{text(following)}">Older</a></nav>'
    return (
        '<div class="head"><h1>Audit</h1></div><form class="filters" method="get" action="/audit" role="search">'
        f'<label>Search <input type="search" name="search" id="search" value="{text(search)}" maxlength="200" autocomplete="off" '
        f'placeholder="who, what or to what"></label><button>Filter</button></form><section class="card">{shown}{more}</section>'
    )
