"""Hard frames of all devices: pictures with what is known of them, export, and labels back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from edgeagent.datasets.label_export import EXPORTS
from edgeagent.fleet.frames.frame_archive import ReceivedFrame
from edgeagent.fleet.page.frame_filter import FrameFilter
from edgeagent.fleet.page.permalinks import device_place
from edgeagent.fleet.page.views.fleet_table import choice, pager
from edgeagent.web.views.markup import badge, empty, text, when_utc

PER_PAGE = 48
TITLES = {"coco": "COCO", "cvat": "CVAT", "label-studio": "Label Studio", "yolo": "YOLO"}


def write_frames(
    known: Sequence[ReceivedFrame],
    condition: FrameFilter,
    number: int,
    used: tuple[int, int] | None,
    csrf: str,
) -> str:
    """Return the HTML of the view.

    Args:
        known: all frames that the visitor may see.
        condition: that the shown ones fulfil.
        number: of the part of the list, from 1.
        used: bytes used and allowed, of a visitor of one tenant.
        csrf: value that a write repeats.
    """
    shown = condition.of(known)
    given = condition.model_dump()
    part = shown[(number - 1) * PER_PAGE : number * PER_PAGE]
    room = (
        "" if used is None else f'<span class="unit">{used[0] / 1e6:,.0f} of {used[1] / 1e6:,.0f} MB</span>'
    )
    hidden = "".join(f'<input type="hidden" name="{key}" value="{text(given[key])}">' for key in given)
    hidden += f'<input type="hidden" name="csrf" value="{text(csrf)}">'
    formats = "".join(f'<option value="{kind}">{TITLES[kind]}</option>' for kind in sorted(EXPORTS))
    tools = (
        f'<div class="filters"><label>Format <select name="format">{formats}</select></label>'
        '<button formaction="/frames/export">Export</button>'
        '<button class="quiet" formaction="/frames/remove" data-ask="Remove the chosen frames for good?">Remove</button>'
        f'<span class="unit">the chosen frames; without a choice all {len(shown)} of this filter are exported</span></div>'
    )
    body = (
        f'<form method="post" action="/frames/export">{hidden}{tools}<ul class="frames">'
        + "".join(_frame(one) for one in part)
        + "</ul></form>"
        + pager("/frames", given, number, PER_PAGE, len(shown))
        if part
        else no_frames(bool(known))
    )
    return (
        f'<div class="head"><h1>Hard frames</h1>{room}</div>{_filters(known, condition)}'
        f'<section class="card" data-part="frames">{body}</section>{_labels_form()}'
    )


def no_frames(filtered: bool) -> str:
    """Return what is shown where there is no frame."""
    if filtered:
        return empty("No such frames", "No frame fulfils the filter.")
    return empty(
        "No frames yet",
        "Devices send frames with <code>hard_frames.upload</code> in their configuration and a token of "
        "<code>edgeagent fleet upload-token</code>.",
    )


def no_archive() -> str:
    """Return what is shown where no frames are kept."""
    told = "Start <code>edgeagent fleet serve</code> with <code>--frames DIR</code> to receive frames."
    return f'<div class="head"><h1>Hard frames</h1></div>{empty("No frames are kept", told)}'


def _filters(known: Sequence[ReceivedFrame], condition: FrameFilter) -> str:
    return (
        '<form class="filters" method="get" action="/frames" role="search">'
        + choice("device", "Device", _sorted(one.key.device for one in known), condition.device)
        + choice("model", "Model", _sorted(one.notes.model for one in known), condition.model)
        + choice("reason", "Reason", _sorted(r for one in known for r in one.notes.reasons), condition.reason)
        + choice("labelled", "Labelled", ("yes", "no"), condition.labelled)
        + "<button>Filter</button></form>"
    )


def _sorted(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def _frame(one: ReceivedFrame) -> str:
    key, notes = one.key, one.notes
    address = f"/frames/picture/{quote(key.path)}.jpg"
    reasons = " ".join(badge("plain", reason.replace("_", " ")) for reason in notes.reasons)
    objects = one.labels.objects if one.labels is not None else notes.objects
    about = f"{len(objects)} {'object' if len(objects) == 1 else 'objects'}" + (
        f", labelled by {text(one.labels.by)}" if one.labels else ", proposed"
    )
    tenant = f' <span class="unit">{text(key.tenant)}</span>' if key.tenant else ""
    alternative = f"Frame of {key.device}, camera {key.camera}"
    return (
        f'<li><label><input type="checkbox" name="frame" value="{text(key.name)}">'
        f'<span class="hidden">Choose the frame of {text(key.device)} at {text(key.stem)}</span></label>'
        f'<a href="{text(address)}"><img src="{text(address)}" alt="{text(alternative)}" loading="lazy" '
        f'width="{notes.width}" height="{notes.height}"></a>'
        f'<p><a href="{text(device_place(key.tenant, key.device))}">{text(key.device)}</a>{tenant} '
        f'{text(key.camera)} {_time(key.stem)}</p><p>{reasons} <span class="unit">{text(notes.model)}</span></p>'
        f'<p class="unit">{about}</p></li>'
    )


def _time(stem: str) -> str:
    try:
        return when_utc(float(stem))
    except (ValueError, OverflowError, OSError):  # no date of the calendar
        return f"{text(stem)} s"


def _labels_form() -> str:
    return (
        '<section class="card"><h2>Labels back</h2><p class="about">COCO or Label Studio (.json), CVAT (.xml), or a ZIP '
        "archive, also of YOLO labels. The frames keep them; export them again with the filter “labelled: yes”, and "
        "<code>edgeagent frames labels</code> makes training data of them.</p>"
        '<form class="filters" data-send="/frames/labels"><label>File <input type="file" name="file" '
        'accept=".json,.xml,.zip" required></label><button>Take labels</button>'
        '<output role="status"></output></form></section>'
    )
