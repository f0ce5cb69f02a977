"""HTML of single values: what is absent is a dash with its reason, never 0."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any


def text(value: object) -> str:
    """Return a value as HTML text, also for attributes in double quotes."""
    return html.escape(str(value), quote=True)


def absent(why: str) -> str:
    """Return the dash of a value that is not known, with the reason."""
    return (
        f'<span class="absent" title="{text(why)}">&ndash;<span class="hidden"> ({text(why)})</span></span>'
    )


def shown_number(value: float | None, unit: str = "", digits: int = 1, why: str = "not reported") -> str:
    """Return a number with its unit."""
    if value is None:
        return absent(why)
    shown = f"{value:,.{digits}f}".replace(",", " ")  # thin space
    return f'<span class="number">{shown}</span>' + (
        f' <span class="unit">{text(unit)}</span>' if unit else ""
    )


def value_or(value: object | None, why: str = "not reported") -> str:
    """Return a text; a dash where it is not known."""
    return absent(why) if value is None or value == "" else text(value)


def when(iso: str | None, why: str = "not known") -> str:
    """Return a time (ISO 8601, UTC); the browser shows it in its own zone."""
    if not iso:
        return absent(why)
    shown = iso.partition(".")[0].rstrip("Z").replace("T", " ")
    return f'<time datetime="{text(iso)}" data-local>{text(shown)} UTC</time>'


def when_hour(iso: str | None, why: str = "not known") -> str:
    """Return an hour (ISO 8601, UTC) in which something was: without seconds, which nobody has measured."""
    if not iso:
        return absent(why)
    return f'<time datetime="{text(iso)}" data-local="hour">{text(iso[:10])} {text(iso[11:13])}:00 UTC</time>'


def when_utc(seconds: float) -> str:
    """Return a time given as seconds since 1970."""
    return when(datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))


def icon(name: str) -> str:
    """Return a picture of the set of icons."""
    return f'<svg class="icon" aria-hidden="true" focusable="false"><use href="{ICONS}#{name}"></use></svg>'


ICONS = "/static/current/icons.svg"


def badge(kind: str, label: object) -> str:
    """Return a short state; ``kind`` is good, warn, bad or plain."""
    return f'<span class="badge {kind}">{text(label)}</span>'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numeric: bool = True) -> str:
    """Return a table; the cells are HTML, the first of each row is its head."""
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(
            f'<td data-head="{text(name)}">{cell}</td>' for name, cell in zip(head[1:], rest, strict=True)
        )
        + "</tr>"
        for first, *rest in rows
    )
    kind = "numeric" if numeric else "words"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {text(caption)}"><table class="{kind}">'
        f'<caption class="hidden">{text(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names with values, which are HTML."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>'


def curve(label: str, values: Sequence[float | None], unit: str) -> str:
    """Return a small curve of the last intervals, which the browser draws."""
    given = [value for value in values if value is not None]
    if len(given) < 2:
        return '<span class="curve-space"></span>'
    data = json.dumps([None if value is None else round(value, 2) for value in values])
    return f'<spark-line label="{text(label)}" unit="{text(unit)}" values="{text(data)}"></spark-line>'


def empty(title: str, advice: str) -> str:
    """Return what is shown where there is nothing yet; ``advice`` is HTML."""
    return f'<div class="empty"><p class="empty-title">{text(title)}</p><p>{advice}</p></div>'


def card(name: str, title: str, content: str, about: str = "", wide: bool = False) -> str:
    """Return a part of a view, which is replaced when it changes; ``content`` and ``about`` are HTML."""
    note = f'<p class="about">{about}</p>' if about else ""
    kind = "card wide" if wide else "card"
    return (
        f'<section class="{kind}" data-part="{text(name)}" aria-labelledby="{text(name)}-title">'
        f'<h2 id="{text(name)}-title">{text(title)}</h2>{note}{content}</section>'
    )


def tag_attributes(**values: Any) -> str:
    """Return attributes; lists and objects are written as JSON."""
    found = [
        f'{name.replace("_", "-")}="{text(value if isinstance(value, str) else json.dumps(value))}"'
        for name, value in values.items()
    ]
    return " ".join(found)
