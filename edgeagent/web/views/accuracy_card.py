"""Accuracy and drift, each with its own evidence."""

from __future__ import annotations

from typing import Any

from edgeagent.bundle.task import MEASURES
from edgeagent.web.device_record import Sight
from edgeagent.web.views.markup import absent, badge, card, empty, facts, shown_number, text, when


def accuracy_card(sight: Sight, broker: bool) -> str:
    """Return the accuracy indicators."""
    message = sight.retained.get("accuracy")
    if message is None:
        why = (
            "The first golden run comes after the start; it needs pycocotools."
            if broker
            else "It is measured with a broker: give <code>mqtt.host</code>."
        )
        return card("accuracy", "Accuracy and drift", empty("Not measured yet", why))
    golden = message.get("golden") or {}
    measure = next(
        (one for one in MEASURES.values() if golden.get(one.field) is not None), MEASURES["detection"]
    )
    pairs = [(f"{measure.title}, golden pictures", _golden(message.get("golden")))]
    pairs.append(("Agreement with the reference", _agreement(message.get("agreement"))))
    drift = message.get("drift") or {}
    pairs += [(f"Drift of {camera}", _drift(report)) for camera, report in drift.items()]
    if not drift:
        pairs.append(("Drift", absent("not compared")))
    pairs.append(("Precision by feedback", _proportion((message.get("feedback") or {}).get("precision"))))
    pairs.append(("As of", when(message["time"])))
    return card("accuracy", "Accuracy and drift", facts(pairs))


def _golden(report: dict[str, Any] | None) -> str:
    if report is None:
        return absent("no golden run yet")
    value = next((report[one.field] for one in MEASURES.values() if report.get(one.field) is not None), None)
    if value is None:
        return absent(report.get("reason") or "not measured")
    claimed = report.get("claimed")
    said = (
        f' <span class="unit">(bundle: {shown_number(claimed, digits=3)})</span>'
        if claimed is not None
        else ""
    )
    pictures = report.get("pictures")
    of = f' <span class="unit">of {pictures} pictures</span>' if pictures is not None else ""
    return shown_number(value, digits=3) + said + of


def _agreement(report: dict[str, Any] | None) -> str:
    if report is None or report.get("matched_share") is None:
        return absent((report or {}).get("reason") or "accuracy.agreement_every is 0, or no boxes yet")
    return f'{shown_number(100 * report["matched_share"], "%")} <span class="unit">of {report["boxes"]} boxes</span>'


def _drift(report: dict[str, Any]) -> str:
    kind = {"steady": "good", "drifted": "warn"}.get(report["state"], "plain")
    moved = [name for name, one in report["quantities"].items() if one["drifted"]]
    what = f" {text(', '.join(moved))}" if moved else ""
    return (
        f'{badge(kind, report["state"])}{what} <span class="unit">{report["reference_frames"]} frames</span>'
    )


def _proportion(report: dict[str, Any] | None) -> str:
    if report is None:
        return absent("no feedback")
    return (
        f'{shown_number(100 * report["value"], "%")} <span class="unit">({100 * report["low"]:.0f} to '
        f"{100 * report['high']:.0f} %, {report['hits']} of {report['count']})</span>"
    )
