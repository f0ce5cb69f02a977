"""Checks of the delegates: availability, configured engine, results of the agent's trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.records import VERDICTS, load_verdicts
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.engines.availability import Availability, availability
from edgeagent.engines.delegates import CATALOGUE, Delegate, external_delegate, find_delegates
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import default_state


def check_delegates(system: ExaminedSystem) -> list[Finding]:
    """Check the availability of every delegate of the catalogue and of the configured library."""
    return [_availability_finding(availability(one, system.root)) for one in (*_external(system), *CATALOGUE)]


def check_choice(system: ExaminedSystem) -> list[Finding]:
    """Check that at least one of the configured delegates is available."""
    if system.settings is None or system.settings.model.engine == "auto":
        return []
    catalogue = (*_external(system), *CATALOGUE)
    names = [name.strip() for name in system.settings.model.engine.split(",")]
    if "auto" in names:
        return []
    wanted = [one for name in names for one in find_delegates(name, catalogue)]
    answers = [availability(one, system.root) for one in wanted]
    available = [answer.delegate.name for answer in answers if answer.ok]
    if available:
        return [Finding("configured engine", "ok", f"{', '.join(available)} of {', '.join(names)}")]
    reasons = "; ".join(f"{answer.delegate.name}: {answer.missing}" for answer in answers)
    return [Finding("configured engine", "problem", reasons, "install what is missing, or set engine: auto")]


def check_trials(system: ExaminedSystem) -> list[Finding]:
    """Report the results of the agent's delegate trials."""
    state = journal_of(system.settings).parent
    if not system.live or not state.is_dir():
        return []
    suspects = Journal(journal_of(system.settings)).suspects()
    findings = [
        Finding(
            f"trial {key}", "problem", "the machine went down during this trial", "edgeagent doctor --forgive"
        )
        for key in suspects
    ]
    for verdict in load_verdicts(state / VERDICTS).values():
        found = f"{verdict.p50_ms} ms on {verdict.threads} threads; {verdict.reason}"
        findings.append(Finding(f"trial {verdict.candidate}", "ok", found))
    return findings


def journal_of(settings: Settings | None) -> Path:
    """Return the path of the agent's trial journal for this configuration."""
    return ((settings.state if settings else None) or default_state()) / JOURNAL


def _external(system: ExaminedSystem) -> list[Delegate]:
    library = system.settings.model.library if system.settings else None
    return [] if library is None else [external_delegate(library.path, library.options)]


def _availability_finding(answer: Availability) -> Finding:
    name = f"delegate {answer.delegate.name}"
    if answer.ok:
        return Finding(
            name, "ok", f"all requirements are met (tested by this project: {answer.delegate.tested})"
        )
    reason, _, action = (answer.missing or "").partition("; ")
    if answer.forbidden:
        return Finding(name, "problem", reason, action or "grant this user access")
    external = answer.delegate.name == "tflite-external"
    finding = Finding(name, "not there", reason, action)
    return replace(finding, verdict="problem", action="correct model.library") if external else finding
