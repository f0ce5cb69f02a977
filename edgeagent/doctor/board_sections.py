"""The board profiles as Markdown sections of docs/boards.md; a test keeps the two equal.

``python -m edgeagent.doctor.board_sections`` prints them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from edgeagent.doctor.board_profile import (
    Accelerator,
    BoardProfile,
    BoardSystem,
    Packages,
    Trap,
    load_accelerators,
    load_profiles,
)


def board_sections() -> str:
    """Return a section for each board, then one for each accelerator."""
    lines = [line for profile in load_profiles().values() for line in _board(profile)]
    lines += [line for one in load_accelerators().values() for line in _accelerator(one)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _board(profile: BoardProfile) -> Iterator[str]:
    yield from (f"## {profile.title}", "")
    names = ", ".join(f"`{pattern}`" for pattern in profile.compatible)
    yield f"Profile `{profile.name}`; recognized by {names} in `/proc/device-tree/compatible`."
    yield ""
    yield from ("| | |", "|---|---|")
    for camera in profile.cameras:
        needs = f"; needs {camera.needs}" if camera.needs else ""
        yield f"| camera, {camera.connector} | `{camera.source}`{needs} |"
    yield f"| delegates | {_names(profile.delegates)} |"
    if profile.library is not None:
        yield f"| delegate library | `{profile.library.path}`, as `tflite-external` |"
    yield f"| power | {profile.power.covers} |"
    for limit in profile.thermal_limits:
        yield f"| {limit.celsius:g} degrees | {limit.effect} ({limit.source}) |"
    if profile.accelerators:
        titles = load_accelerators()
        yield f"| accelerators | {', '.join(titles[name].title for name in profile.accelerators)} |"
    yield from _packages(profile.packages)
    yield from (f"| {system.name} | {_system(system)} |" for system in profile.systems)
    yield ""
    yield from _traps(profile.traps)
    yield from (f"Sources: {'; '.join(profile.sources)}.", "")


def _accelerator(one: Accelerator) -> Iterator[str]:
    yield from (f"## Accelerator: {one.title}", "", "| | |", "|---|---|")
    devices = [f"`/{node}`" for node in one.nodes] + [f"USB `{number}`" for number in one.usb]
    yield f"| device | {', '.join(devices)} |"
    yield f"| delegates | {_names(one.delegates)} |"
    yield from _packages(one.packages)
    yield ""
    yield from _traps(one.traps)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _packages(packages: Packages) -> Iterator[str]:
    for tool, names in (("apt", packages.apt), ("pip", packages.pip)):
        if names:
            yield f"| {tool} | {', '.join(names)} |"


def _system(system: BoardSystem) -> str:
    parts = [f"Python {system.python}" if system.python else "the Python of the image"]
    return "; ".join([*parts, *([system.advice.strip()] if system.advice else [])])


def _traps(traps: tuple[Trap, ...]) -> Iterator[str]:
    for trap in traps:
        yield f"- {trap.what}. {trap.remedy}{f' ({trap.source})' if trap.source else ''}."
    if traps:
        yield ""


if __name__ == "__main__":
    sys.stdout.write(board_sections())
