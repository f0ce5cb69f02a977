"""Checks of the delegates: availability, configured engine, results of the agent's trials."""

from __future__ import annotations

import os
from pathlib import Path

from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.records import VERDICTS, load_verdicts
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.engines.availability import Availability, availability, is_attached
from edgeagent.engines.delegates import CATALOGUE, EXTERNAL, Delegate, external_delegate, find_delegates


def check_delegates(system: ExaminedSystem) -> list[Finding]:
    """Check the availability of every delegate of the catalogue and of the configured library."""
    delegates = (*_external(system), *CATALOGUE)
    return [_availability_finding(availability(one, system.root), system.root) for one in delegates]


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
    state = system.state_folder
    if not system.live or not os.access(state, os.R_OK | os.X_OK):  # absent, or of another user: see storage
        return []
    suspects = Journal(state / JOURNAL).suspects()
    findings = [
        Finding(
            f"trial {key}", "problem", "the machine went down during this trial", "edgeagent doctor --forgive"
        )
        for key in suspects
    ]
    for verdict in load_verdicts(state / VERDICTS).values():
        if not verdict.right:
            told = f"{verdict.reason}; not tried again with this version"
            findings.append(Finding(f"trial {verdict.candidate}", "not there", told))
            continue
        found = f"{verdict.p50_ms} ms on {_threads(verdict.threads)}; {verdict.reason}"
        findings.append(Finding(f"trial {verdict.candidate}", "ok", found))
    return findings


def _threads(number: int | None) -> str:
    if number is None:
        return "threads of its own"
    return f"{number} thread{'' if number == 1 else 's'}"


def _external(system: ExaminedSystem) -> list[Delegate]:
    library = system.settings.model.library if system.settings else None
    return [] if library is None else [external_delegate(library.path, library.options)]


def _availability_finding(answer: Availability, root: Path) -> Finding:
    name = _about(answer.delegate)
    if answer.ok:
        return Finding(
            name, "ok", f"all requirements are met (tested by this project: {answer.delegate.tested})"
        )
    reason, _, action = (answer.missing or "").partition("; ")
    if answer.forbidden:
        return Finding(name, "problem", reason, action or "grant this user access")
    if answer.delegate.name == EXTERNAL:
        return Finding(name, "problem", reason, "correct model.library")
    if is_attached(answer.delegate.needs, root):
        advice = action or "see edgeagent board, or docs/boards.md"
        return Finding(name, "warning", f"its device is there, but {reason}", advice)
    return Finding(name, "not there", reason, action)


def impossible_delegates(system: ExaminedSystem) -> frozenset[str]:
    """Return what ``check_delegates`` says about delegates that this board can never run.

    These have no device here, a processor or an operating system of another kind, or need an onnxruntime that
    is built for hardware that is not here. The others lack a package, which can be installed.
    """
    return frozenset(_about(one) for one in CATALOGUE if not _is_possible(one, system.root))


def _is_possible(delegate: Delegate, root: Path) -> bool:
    needs = delegate.needs
    if needs.nodes or needs.usb:
        return is_attached(needs, root)
    if needs.provider is not None or needs.flags or needs.machines:
        return availability(delegate, root).ok
    return True


def _about(delegate: Delegate) -> str:
    return f"delegate {delegate.name}"
