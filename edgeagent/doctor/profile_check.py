"""Checks against the board's profile: which one it is, and whether the board's Python runs the agent."""

from __future__ import annotations

import struct
import sys

from edgeagent.doctor.board_recognition import recognize_board
from edgeagent.doctor.finding import ExaminedSystem, Finding

WORD_BITS = 64


def check_profile(system: ExaminedSystem) -> list[Finding]:
    """Name the profile of the board, and say what its operating system needs."""
    board = recognize_board(system.root)
    if board is None:
        return []
    found = " with ".join([board.profile.name, *(one.title for one in board.accelerators)])
    findings = [
        Finding("board profile", "ok", found, "edgeagent board: cameras, delegates, packages, known traps")
    ]
    if board.system is not None and board.system.advice is not None:
        findings.append(Finding("board system", "warning", board.system.name, board.system.advice))
    return findings


def check_python(system: ExaminedSystem) -> list[Finding]:
    """Check the word size of the Python that runs: engines have no wheels for 32 bits."""
    if not system.live:
        return []
    bits = struct.calcsize("P") * 8
    version = ".".join(map(str, sys.version_info[:3]))
    if bits != WORD_BITS:
        action = "install the 64-bit image of the board's operating system (docs/boards.md)"
        return [Finding("Python", "problem", f"{version}, {bits} bits: no engine has wheels for it", action)]
    return [Finding("Python", "ok", f"{version}, {bits} bits")]
