"""Tables of long lists: heads that sort, parts, and choices of a filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edgeagent.fleet.page.permalinks import place
from edgeagent.web.views.markup import shown_number, text


def sortable_table(
    caption: str,
    heads: Sequence[tuple[str, str | None]],
    rows: Iterable[Sequence[str]],
    path: str,
    given: Mapping[str, object],
    sort: str,
) -> str:
    """Return a table; the cells are HTML, the first of each row is its head.

    Args:
        caption: of the table, for those who cannot see it.
        heads: label of each column, and the key that it is sorted by; None cannot be sorted by.
        rows: cells.
        path, given: address of the page.
        sort: present key, with ``-`` before it for the greatest first.
    """
    columns = "".join(_head(label, key, path, given, sort) for label, key in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(
            f'<td data-head="{text(label)}">{cell}</td>'
            for (label, _), cell in zip(heads[1:], rest, strict=True)
        )
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {text(caption)}"><table class="numeric">'
        f'<caption class="hidden">{text(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _head(label: str, key: str | None, path: str, given: Mapping[str, object], sort: str) -> str:
    if key is None:
        return f'<th scope="col">{text(label)}</th>'
    now = {key: "ascending", f"-{key}": "descending"}.get(sort)
    following = f"-{key}" if sort == key else key
    sign = {"ascending": " ↑", "descending": " ↓"}.get(now or "", "")
    here = f' aria-sort="{now}"' if now else ""
    target = text(place(path, given, sort=following, page=""))
    return f'<th scope="col"{here}><a class="sort" href="{target}">{text(label)}{sign}</a></th>'


def pager(path: str, given: Mapping[str, object], number: int, size: int, count: int) -> str:
    """Return the links to the parts of a list, with the numbers of the shown rows."""
    if not count:
        return ""
    first, last = (number - 1) * size + 1, min(number * size, count)
    span = (
        f"{shown_number(first, digits=0)} to {shown_number(last, digits=0)} of " if first <= count else "of "
    )
    shown = span + shown_number(count, digits=0)
    links = ""
    if number > 1:
        links += f'<a class="button quiet" rel="prev" href="{text(place(path, given, page=number - 1 if number > 2 else ""))}">Before</a>'
    if last < count:
        links += (
            f'<a class="button quiet" rel="next" href="{text(place(path, given, page=number + 1))}">Next</a>'
        )
    return f'<nav class="pager" aria-label="Parts of the list"><span class="unit">{shown}</span>{links}</nav>'


def choice(name: str, label: str, values: Iterable[str], chosen: str, anything: str = "any") -> str:
    """Return a choice of a filter; a chosen value that is not among the others is one, too."""
    known = [value for value in values if value]
    if chosen and chosen not in known:
        known.insert(0, chosen)
    options = "".join(
        f'<option value="{text(value)}"{" selected" if value == chosen else ""}>{text(value)}</option>'
        for value in known
    )
    return f'<label>{text(label)} <select name="{text(name)}"><option value="">{text(anything)}</option>{options}</select></label>'


def tabs(label: str, links: Iterable[tuple[str, str, bool]]) -> str:
    """Return links of which one is the present: label, address, and whether it is."""
    shown = "".join(
        f'<a href="{text(address)}"{" aria-current=true" if here else ""}>{text(name)}</a>'
        for name, address, here in links
    )
    return f'<nav class="tabs" aria-label="{text(label)}">{shown}</nav>'
