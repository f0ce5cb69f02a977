"""Delegates: which could be tried here, and why the others could not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.records import VERDICTS, load_verdicts
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.engines.availability import Availability, availability
from edgeagent.engines.delegates import CATALOGUE, Delegate, external_delegate, find_delegates
from edgeagent.files.state_folder import default_state
from edgeagent.settings.schema import Settings


def check_delegates(around: ExaminedSystem) -> list[Finding]:
    """Go through the catalogue, and the library that the configuration names."""
    return [_line(availability(one, around.root)) for one in (*_external(around), *CATALOGUE)]


def check_choice(around: ExaminedSystem) -> list[Finding]:
    """See whether a delegate is there of those that the configuration asks for."""
    if around.settings is None or around.settings.model.engine == "auto":
        return []
    catalogue = (*_external(around), *CATALOGUE)
    names = [name.strip() for name in around.settings.model.engine.split(",")]
    if "auto" in names:
        return []
    wanted = [one for name in names for one in find_delegates(name, catalogue)]
    answers = [availability(one, around.root) for one in wanted]
    there = [answer.delegate.name for answer in answers if answer.ok]
    if there:
        return [Finding("configured engine", "ok", f"{', '.join(there)} of {', '.join(names)}")]
    reasons = "; ".join(f"{answer.delegate.name}: {answer.missing}" for answer in answers)
    return [Finding("configured engine", "problem", reasons, "install what is missing, or set engine: auto")]


def check_trials(around: ExaminedSystem) -> list[Finding]:
    """Tell what the agent found when it tried the delegates."""
    state = journal_of(around.settings).parent
    if not around.live or not state.is_dir():
        return []
    suspects = Journal(journal_of(around.settings)).suspects()
    lines = [
        Finding(f"trial {key}", "problem", "the machine went down during it", "edgeagent doctor --forgive")
        for key in suspects
    ]
    for verdict in load_verdicts(state / VERDICTS).values():
        found = f"{verdict.p50_ms} ms on {verdict.threads} threads; {verdict.reason}"
        lines.append(Finding(f"trial {verdict.candidate}", "ok", found))
    return lines


def journal_of(settings: Settings | None) -> Path:
    """Return where the agent of this configuration keeps its journal of trials."""
    return ((settings.state if settings else None) or default_state()) / JOURNAL


def _external(around: ExaminedSystem) -> list[Delegate]:
    library = around.settings.model.library if around.settings else None
    return [] if library is None else [external_delegate(library.path, library.options)]


def _line(answer: Availability) -> Finding:
    name = f"delegate {answer.delegate.name}"
    if answer.ok:
        return Finding(
            name, "ok", f"all it needs is there (tested by this project: {answer.delegate.tested})"
        )
    reason, _, action = (answer.missing or "").partition("; ")
    if answer.forbidden:
        return Finding(name, "problem", reason, action or "let this user use it")
    external = answer.delegate.name == "tflite-external"
    line = Finding(name, "not there", reason, action)
    return replace(line, verdict="problem", action="correct model.library") if external else line
