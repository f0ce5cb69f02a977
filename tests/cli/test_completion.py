"""Completion scripts know what the parser knows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeagent.cli import main


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["qat", "tr"], ["train"]),
        (["bench", "--scenario", "off"], ["offline"]),
        (["run", "--ch"], ["--check"]),
        (["completion", "z"], ["zsh"]),
        (["qat", "train", "--mod"], ["--model"]),
        (["sta"], ["status"]),
    ],
    ids=" ".join,
)
def test_bash(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], wanted: list[str]
) -> None:
    file = tmp_path / "edgeagent.bash"
    file.write_text(script(capsys, "bash"), encoding="utf-8")
    line = " ".join(f"'{word}'" for word in ["edgeagent", *words])
    program = (
        f'. "{file}"; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _edgeagent; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.split() == wanted


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_parse_their_script(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, shell: str
) -> None:
    text = script(capsys, shell)
    assert "qat train" in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "script"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
