"""Lost messages: gaps in the numbers of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeagent.fleet.page.permalinks import device_place
from edgeagent.fleet.queries.lost_messages import LostMessages
from edgeagent.web.views.markup import card, empty, shown_number, table, text, when


def write_lost(lost: Sequence[LostMessages], dead: Mapping[str, int]) -> str:
    """Return the HTML of the view.

    Args:
        lost: gaps.
        dead: number of messages that could not be stored, by reason.
    """
    rows = [[text(reason), shown_number(count, digits=0)] for reason, count in dead.items()]
    refused = (
        table("Not stored", ["Reason", "Messages"], rows)
        if rows
        else empty("None", "Every message could be read and stored.")
    )
    about = "Messages that arrived and could not be stored, such as of a device with a forged name; kept with their reason."
    return (
        '<div class="head"><h1>Lost messages</h1></div><div class="columns">'
        + card(
            "lost",
            "Gaps",
            lost_table(lost),
            "Devices number their messages: what is missing between two that arrived was lost on the way.",
            wide=True,
        )
        + card("dead", "Not stored", refused, about, wide=True)
        + "</div>"
    )


def lost_table(lost: Sequence[LostMessages], of_one: bool = False) -> str:
    """Return gaps as a table; ``of_one`` leaves the device out."""
    if not lost:
        return empty(
            "Nothing lost", "Between the first and the last message of each stream, all numbers have arrived."
        )
    rows = []
    for one in lost:
        device = [f'<a href="{text(device_place(one.tenant, one.device))}">{text(one.device)}</a>']
        rows.append(
            [
                *([] if of_one else device),
                f"{text(one.stream)}, run {one.run}",
                f"{shown_number(one.lost, digits=0)} lost",
                shown_number(one.arrived, digits=0),
                when(one.begin.strftime("%Y-%m-%dT%H:%M:%SZ")),
                when(one.end.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ]
        )
    head = [*([] if of_one else ["Device"]), "Stream", "Lost", "Arrived", "From", "To"]
    return table("Gaps", head, rows)
