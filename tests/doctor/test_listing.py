from __future__ import annotations

import re

from edgeagent.doctor.finding import Finding
from edgeagent.doctor.listing import in_order, listing

LONG = Finding("a name that is longer than its column of the list", "warning", "found " * 30, "do " * 40)
SHORT = Finding("disk", "ok", "free")
WORD = Finding("state", "problem", f"/{'x' * 200}")


def test_order() -> None:
    absent = Finding("camera", "not there", "none")
    assert in_order([SHORT, absent, LONG, WORD]) == [WORD, LONG, SHORT, absent]


def test_lines_fit() -> None:
    for width in (60, 80):
        lines = list(listing([LONG, SHORT, WORD], width))
        assert max(map(len, lines)) <= width
        text = " ".join(lines)
        assert text.count("found") == 30
        assert text.count("do") == 40


def test_a_short_finding_is_one_line() -> None:
    assert list(listing([SHORT])) == ["ok         disk                      free"]


def test_colours_change_nothing_else() -> None:
    plain, coloured = list(listing([LONG, SHORT])), list(listing([LONG, SHORT], colours=True))
    assert coloured[-1].startswith("\033[32mok")
    assert [re.sub(r"\033\[[0-9;]*m", "", line) for line in coloured] == plain


def test_control_characters_of_another_boards_tree_are_shown_as_text() -> None:
    found = Finding("board", "warning", "\x1b[31mmodel\nnext line", "\x9b2J")
    assert list(listing([found])) == [
        r"warning    board                     \x1b[31mmodel",
        "                                     next line",
        r"                                     -> \x9b2J",
    ]
