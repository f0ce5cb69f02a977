"""Frame of a page: head, navigation, and the place of a view."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.web.sessions import Visitor
from edgeagent.web.static_files import StaticFiles
from edgeagent.web.views.markup import icon, text

VIEWS = (("live", "/", "Live"), ("events", "/events", "Events"), ("status", "/status", "Status"))
BASE_STYLES = ("tokens.css", "elements.css")


@dataclass(frozen=True, slots=True)
class PageFrame:
    """What all pages of a server have around their views.

    Attributes:
        views: name, path and label of the views in the navigation; each name is one of an icon.
        styles: style sheets beside :data:`BASE_STYLES`.
        foot: HTML below the view.
    """

    views: tuple[tuple[str, str, str], ...]
    styles: tuple[str, ...] = ()
    foot: str = ""


DEVICE_FRAME = PageFrame(VIEWS, ("live-picture.css",))


@dataclass(frozen=True, slots=True)
class Page:
    """View with what belongs to it.

    Attributes:
        name: of the view, as in :data:`VIEWS`, or another one.
        title: of the page.
        content: HTML.
        modules: names of its JavaScript modules.
        refreshes: whether it is loaded again every ten seconds where there is no JavaScript.
        parts: address of the view's HTML, from which its parts are kept up to date; None does not.
        current: name of the view in the navigation; None where it is ``name``.
    """

    name: str
    title: str
    content: str
    modules: tuple[str, ...] = ()
    refreshes: bool = False
    parts: str | None = None
    current: str | None = None


def write_document(
    page: Page, device: str, files: StaticFiles, visitor: Visitor | None, frame: PageFrame = DEVICE_FRAME
) -> str:
    """Return the HTML of a page.

    Args:
        page: view.
        device: name of the device, or of the whole.
        files: of which it takes styles and modules.
        visitor: who sees it; None where nobody has signed in.
        frame: around the view.
    """
    sheets = (*BASE_STYLES, *frame.styles)
    styles = "".join(f'<link rel="stylesheet" href="{files.url(name)}">' for name in sheets)
    modules = "".join(
        f'<script type="module" src="{files.url(name)}"></script>' for name in ("page.js", *page.modules)
    )
    csrf = f'<meta name="csrf" content="{text(visitor.csrf)}">' if visitor is not None else ""
    again = '<noscript><meta http-equiv="refresh" content="10"></noscript>' if page.refreshes else ""
    parts = f' data-parts="{text(page.parts)}"' if page.parts is not None and visitor is not None else ""
    body = _navigation(page, device, visitor, frame.views) if visitor is not None else ""
    foot = frame.foot if visitor is not None else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(page.title)} · {text(device)}</title>{csrf}{again}"
        f'<link rel="icon" href="{files.url("favicon.svg")}" type="image/svg+xml">'
        f'<script src="{files.url("theme.js")}"></script>{styles}{modules}</head>'
        f'<body data-view="{text(page.name)}"{parts}>{body}'
        f'<main id="content" tabindex="-1">{page.content}</main>{foot}'
        '<p id="notice" class="notice" role="status" hidden></p></body></html>'
    )


def _navigation(page: Page, device: str, visitor: Visitor, views: tuple[tuple[str, str, str], ...]) -> str:
    here = page.current or page.name
    links = "".join(
        f'<a href="{place}"{" aria-current=page" if name == here else ""}>{icon(name)}<span>{label}</span></a>'
        for name, place, label in views
    )
    leave = (
        f'<form method="post" action="/sign-out"><input type="hidden" name="csrf" value="{text(visitor.csrf)}">'
        f'<button class="quiet" title="Sign out">{icon("leave")}<span class="hidden">Sign out {text(visitor.user)}'
        "</span></button></form>"
        if visitor.user is not None
        else ""
    )
    return (
        '<a class="skip" href="#content">To the content</a><header class="bar">'
        f'<a class="device" href="/">{icon("device")}<span>{text(device)}</span></a>'
        f'<nav aria-label="Views">{links}</nav><div class="tools">'
        f'<button class="quiet" id="theme" hidden title="Light or dark">{icon("theme")}'
        f'<span class="hidden">Light or dark</span></button>{leave}</div></header>'
    )
