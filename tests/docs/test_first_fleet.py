"""docs/first-fleet.md: its commands, as they stand, in an empty folder; sudo and systemctl are stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.settings.file import load_settings
from tests.docs.text import code_blocks, read_document
from tests.long import LONG

PAGE = "docs/first-fleet.md"
MOST_LINES = 70
"""Of the page: one screen of a browser, and a half."""
ROOT = Path(__file__).parents[2]
PROGRAM = f"""\
#!/bin/sh
# The bundles' golden pictures have tests of their own, and take a minute here.
case "$1 $2" in "publish add") set -- "$@" --unchecked ;; esac
PYTHONPATH="{ROOT}" exec "{sys.executable}" -m edgeagent "$@"
"""
STAND_INS = {
    "edgeagent": PROGRAM,
    "sudo": '#!/bin/sh\nexec "$@"\n',
    "systemctl": '#!/bin/sh\necho "systemctl $*"\n',
}
ENTER = """\
set -e
mkdir -p /etc/edgeagent
mount --bind "$BOARD" /etc/edgeagent
exec bash -euo pipefail commands.sh
"""


def test_the_page_is_short() -> None:
    assert len(read_document(PAGE).splitlines()) <= MOST_LINES


@LONG
@pytest.mark.timeout(900)
def test_its_commands_lead_from_an_empty_folder_to_a_fleet(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("a mount namespace, for /etc/edgeagent, needs root")
    programs, board, desk = (tmp_path / name for name in ("programs", "board", "desk"))
    for folder in (programs, board, desk):
        folder.mkdir()
    for name, text in STAND_INS.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    blocks = code_blocks(read_document(PAGE), "sh")
    (desk / "commands.sh").write_text("\n".join(blocks), encoding="utf-8")
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "BOARD": str(board)}
    made = not Path("/etc/edgeagent").exists()
    try:
        done = subprocess.run(
            [unshare, "-m", "bash", "-c", ENTER],
            cwd=desk,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        if made:
            shutil.rmtree("/etc/edgeagent", ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr
    settings = load_settings(board / "edgeagent.yaml")
    assert settings.device == "gate-1"
    assert settings.delivery is not None
    assert (
        settings.delivery.root.read_bytes() == (desk / "fleet/repository/metadata/1.root.json").read_bytes()
    )
    assert "systemctl restart edgeagent" in done.stdout
    assert "misses trucks at night" in done.stdout  # in the audit log
    assert "viewer:" not in done.stdout + done.stderr
