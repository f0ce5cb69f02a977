"""Rows of the messages that the broker retains: ``info``, ``alarm``, ``deployment`` and ``accuracy``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeagent.fleet.ingest import fields as f

Columns = dict[str, Any]


def info(fields: Mapping[str, Any], parameter: str) -> Columns:
    """Return the columns of an ``info`` message."""
    board, bundle = f.section(fields, "board"), f.section(fields, "bundle")
    engine, packages = f.section(fields, "engine"), f.section(fields, "packages")
    cameras = f.objects_of(fields, "cameras")
    return {
        "agent": f.word(fields, "agent"),
        "board": f.maybe_word(board, "model"),
        "architecture": f.word(board, "architecture"),
        "system": f.word(board, "system"),
        "kernel": f.word(board, "kernel"),
        "bundle": f.word(bundle, "name"),
        "bundle_version": f.word(bundle, "version"),
        "artefact": f.word(bundle, "artefact"),
        "sha256": f.word(bundle, "sha256"),
        "engine": f.word(engine, "name"),
        "engine_version": f.word(engine, "version"),
        "delegate": f.word(engine, "delegate"),
        "threads": min(f.count(engine, "threads"), 65535),
        "load_s": f.maybe_number(engine, "load_s"),
        "cameras": [f.word(each, "name") for each in cameras],
        "camera_sources": [f.text_field(each, "source") for each in cameras],
        "packages": {name[: f.LONGEST_WORD]: f.word(packages, name) for name in packages},
        "configuration": f.maybe_text(fields, "configuration"),
    }


def alarm(fields: Mapping[str, Any], parameter: str) -> Columns:
    """Return the columns of an ``alarm`` message."""
    problems = f.objects_of(fields, "problems")
    return {
        "serving": f.maybe_text(fields, "serving"),
        "problem_codes": [f.word(each, "code") for each in problems],
        "problem_cameras": [f.maybe_word(each, "camera") or "" for each in problems],
        "problem_since": [f.moment(each, "since") for each in problems],
        "problem_texts": [f.text_field(each, "text") for each in problems],
    }


def deployment(fields: Mapping[str, Any], parameter: str) -> Columns:
    """Return the columns of a ``deployment`` message."""
    gate, bad = f.section(fields, "gate"), f.objects_of(fields, "bad")
    current, previous = f.section(fields, "current"), f.section(fields, "previous")
    agent, configuration = f.section(fields, "agent"), f.section(fields, "configuration")
    return {
        "state": f.word(fields, "state"),
        "name": f.maybe_word(fields, "name"),
        "version": f.maybe_word(fields, "version"),
        "release": f.maybe_count(fields, "sequence"),
        "sequence": 0,  # of the release, not of the message
        "reason": f.maybe_text(fields, "reason"),
        "progress_percent": f.maybe_number(fields, "progress_percent"),
        "since": f.maybe_moment(fields, "since"),
        "source": f.maybe_word(fields, "source"),
        "rollout": f.maybe_word(fields, "rollout"),
        "waiting": f.maybe_text(fields, "waiting"),
        "gate_p90_ms": f.maybe_number(gate, "p90_ms"),
        "gate_map50_95": f.maybe_number(gate, "map50_95"),
        "gate_notes": f.words(gate, "notes"),
        "current_name": f.maybe_word(current, "name"),
        "current_version": f.maybe_word(current, "version"),
        "previous_name": f.maybe_word(previous, "name"),
        "previous_version": f.maybe_word(previous, "version"),
        "pinned": f.maybe_text(fields, "pinned"),
        "bad_models": [f.word(each, "model") for each in bad],
        "bad_reasons": [f.text_field(each, "reason") for each in bad],
        "agent_running": f.maybe_word(agent, "running"),
        "agent_state": f.maybe_word(agent, "state"),
        "agent_version": f.maybe_word(agent, "version"),
        "agent_last_state": f.maybe_word(agent, "last_state"),
        "configuration_serving": f.maybe_word(configuration, "serving"),
        "configuration_state": f.maybe_word(configuration, "state"),
        "configuration_version": f.maybe_word(configuration, "version"),
    }


def accuracy(fields: Mapping[str, Any], parameter: str) -> Columns:
    """Return the columns of an ``accuracy`` message."""
    golden, agreement = f.section(fields, "golden"), f.section(fields, "agreement")
    recent, feedback = f.section(agreement, "recent"), f.section(fields, "feedback")
    precision, recall = f.section(feedback, "precision"), f.section(feedback, "recall")
    drift = f.sections(fields, "drift")
    return {
        "model": f.word(fields, "model"),
        "serving": f.maybe_text(golden, "serving"),
        "map50_95": f.maybe_number(golden, "map50_95"),
        "map_claimed": f.maybe_number(golden, "claimed"),
        "map_tolerance": f.maybe_number(golden, "tolerance"),
        "map_pictures": f.maybe_count(golden, "pictures"),
        "labelled_by": f.maybe_word(golden, "labelled_by"),
        "map_reason": f.maybe_text(golden, "reason"),
        "agreement_frames": f.maybe_count(agreement, "frames"),
        "agreement_boxes": f.maybe_count(agreement, "boxes"),
        "agreement_matched": f.maybe_count(agreement, "matched"),
        "agreement_share": f.maybe_number(agreement, "matched_share"),
        "recent_share": f.maybe_number(recent, "matched_share"),
        "recent_low": f.maybe_number(recent, "low"),
        "recent_high": f.maybe_number(recent, "high"),
        "recent_alarm": f.yes_or_no(recent, "alarm") if recent else None,
        "drift_cameras": [camera for camera, _ in drift],
        "drift_states": [f.word(report, "state") for _, report in drift],
        "drift_index": [_largest_index(report) for _, report in drift],
        "feedback_frames": f.maybe_count(feedback, "frames"),
        "precision_hits": f.maybe_count(precision, "hits"),
        "precision_count": f.maybe_count(precision, "count"),
        "recall_hits": f.maybe_count(recall, "hits"),
        "recall_count": f.maybe_count(recall, "count"),
    }


def _largest_index(report: Mapping[str, Any]) -> float | None:
    """Return the largest stability index of the quantities; None where none has been compared yet."""
    compared = f.sections(report, "quantities")
    return max((f.number_field(each, "stability_index") for _, each in compared), default=None)
