"""A board profile as text for people, and as a configuration that is ready to save."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from edgeagent.doctor.board_profile import CameraLine, Packages, Trap
from edgeagent.doctor.board_recognition import RecognizedBoard

WIDTH = 80
_LABEL = 12
_CONNECTORS = "other connectors of this board:"


def profile_lines(board: RecognizedBoard) -> Iterator[str]:
    """Yield the lines of a profile, at most 80 characters unless a word is longer."""
    profile = board.profile
    yield f"{profile.title} (profile {profile.name})"
    system = board.system
    if system is not None:
        yield from _labelled("system", f"{system.name}{f', Python {system.python}' if system.python else ''}")
        if system.advice is not None:
            yield from _labelled("", system.advice)
    for one in board.accelerators:
        yield from _labelled("attached", one.title)
    yield from _labelled(
        "delegates", f"{', '.join(board.delegates)}; the agent measures which is the fastest"
    )
    for camera in profile.cameras:
        needs = f" (needs {camera.needs})" if camera.needs else ""
        yield from _labelled("camera", f"{camera.connector}: {camera.source}{needs}")
    yield from _labelled("power", profile.power.covers)
    for limit in profile.thermal_limits:
        yield from _labelled("heat", f"{limit.celsius:g} degrees: {limit.effect} ({limit.source})")
    for packages in (profile.packages, *(one.packages for one in board.accelerators)):
        yield from _package_lines(packages)
    for trap in (*profile.traps, *(trap for one in board.accelerators for trap in one.traps)):
        yield from _labelled("trap", _trap_text(trap))


def profile_configuration(board: RecognizedBoard) -> str:
    """Return a configuration for the first camera connector; the other ones stand in comments."""
    profile = board.profile
    first, *others = profile.cameras
    lines = [
        *_comment(f"edgeagent on {profile.title}. Every key: config/edgeagent.yaml and docs/operations.md."),
        "cameras:",
        *_camera(first),
    ]
    if others:
        lines += _comment(_CONNECTORS, "  ")
        lines += [f"  #{line[1:]}" for camera in others for line in _camera(camera)]
    lines += [
        "",
        "model:",
        *_comment(f"Expected order here: {', '.join(board.delegates)}. auto measures and checks them.", "  "),
        f"  engine: {'tflite-external, auto' if profile.library else 'auto'}",
    ]
    if profile.library is not None:
        lines.append(
            f"  library: {{path: {profile.library.path}, options: {json.dumps(profile.library.options)}}}"
        )
    lines += [
        "",
        "mqtt:",
        *_comment("Host name or address of the broker; null publishes nothing.", "  "),
        "  host: null",
    ]
    if profile.power.sensor == "none":
        lines += [
            "",
            *_comment(f"{profile.power.covers}. Watts that a meter shows, for an estimate:"),
            "#power:",
            "#  idle_w:",
            "#  full_w:",
        ]
    return "\n".join(lines) + "\n"


def _camera(camera: CameraLine) -> list[str]:
    lines = [f"  # {camera.connector}{f'; needs {camera.needs}' if camera.needs else ''}"]
    lines += ["  - name: camera", f"    source: {json.dumps(camera.source)}"]
    for key in ("width", "height", "fps"):
        value = getattr(camera, key)
        if value is not None:
            lines.append(f"    {key}: {value:g}")
    return lines


def _comment(text: str, indent: str = "") -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, 100 - len(indent))]


def _labelled(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - _LABEL, break_long_words=False, break_on_hyphens=False)
    return [f"{label if number == 0 else '':<{_LABEL}}{line}" for number, line in enumerate(lines)]


def _package_lines(packages: Packages) -> Iterator[str]:
    for tool, names in (("apt", packages.apt), ("pip", packages.pip)):
        if names:
            yield from _labelled(tool, ", ".join(names))


def _trap_text(trap: Trap) -> str:
    return f"{trap.what}. {trap.remedy}{f' ({trap.source})' if trap.source else ''}."
