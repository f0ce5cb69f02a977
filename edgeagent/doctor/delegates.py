"""Delegates: which could be tried here, and why the others could not."""

from __future__ import annotations

from dataclasses import replace

from edgeagent.doctor.line import Line, Surroundings
from edgeagent.runtime.availability import Availability, availability
from edgeagent.runtime.delegates import CATALOGUE, Delegate, external_delegate, find_delegates


def check_delegates(around: Surroundings) -> list[Line]:
    """Go through the catalogue, and the library that the configuration names."""
    return [_line(availability(one, around.root)) for one in (*_external(around), *CATALOGUE)]


def check_choice(around: Surroundings) -> list[Line]:
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
        return [Line("configured engine", "ok", f"{', '.join(there)} of {', '.join(names)}")]
    reasons = "; ".join(f"{answer.delegate.name}: {answer.missing}" for answer in answers)
    return [Line("configured engine", "problem", reasons, "install what is missing, or set engine: auto")]


def _external(around: Surroundings) -> list[Delegate]:
    library = around.settings.model.library if around.settings else None
    return [] if library is None else [external_delegate(library.path, library.options)]


def _line(answer: Availability) -> Line:
    name = f"delegate {answer.delegate.name}"
    if answer.ok:
        return Line(name, "ok", f"all it needs is there (tested by this project: {answer.delegate.tested})")
    reason, _, action = (answer.missing or "").partition("; ")
    if answer.forbidden:
        return Line(name, "problem", reason, action or "let this user use it")
    external = answer.delegate.name == "tflite-external"
    line = Line(name, "not there", reason, action)
    return replace(line, verdict="problem", action="correct model.library") if external else line
