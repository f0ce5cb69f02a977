"""docs/boards.md has a section for every board profile, with what the profile says."""

from __future__ import annotations

from edgeagent.doctor.board_profile import load_accelerators, load_profiles
from edgeagent.doctor.board_sections import board_sections
from tests.docs.text import read_document


def test_every_profile_has_its_section() -> None:
    headings = [line for line in read_document("docs/boards.md").splitlines() if line.startswith("## ")]
    boards = [f"## {profile.title}" for profile in load_profiles().values()]
    accelerators = [f"## Accelerator: {one.title}" for one in load_accelerators().values()]
    assert headings == ["## Python", *boards, *accelerators]


def test_the_sections_are_current() -> None:
    assert read_document("docs/boards.md").endswith(board_sections()), (
        "run python -m edgeagent.doctor.board_sections, and replace the sections behind `## Python`"
    )
