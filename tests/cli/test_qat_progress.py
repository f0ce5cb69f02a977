"""Progress of ``edgeagent qat`` in the terminal."""

from __future__ import annotations

import pytest

from edgeagent.cli.qat_progress import TerminalProgress
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.training.trainer import TrainingProgress


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    output, errors = capsys.readouterr()
    assert output == ""
    return errors


def test_messages_and_nested_stages_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(TerminalProgress())
    with reporter.stage("outer"):
        reporter.message("inside")
        with reporter.stage("counted", 4) as report:
            report(1)
            report(4)
        reporter.message("behind")
    text = shown(capsys)
    assert "4/4" in text
    assert text.index("inside") < text.index("counted") < text.index("behind")


def test_a_training_shows_its_losses_and_its_early_end(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(TerminalProgress())
    with reporter.training("training, affine grid", 10) as report:
        report(TrainingProgress(4, 10, None))
        report(TrainingProgress(5, 10, 2.0))
        report(TrainingProgress(6, 10, 1.0, held_out=0.25, stopped=True))
    text = shown(capsys)
    assert "6/10" in text
    assert "loss 1.500" in text
    assert "held out 0.250" in text
    assert "step 6: no better on held-out pictures; stopped early" in text


def test_a_quiet_process_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(TerminalProgress(quiet=True))
    with reporter.stage("counted", 2) as report:
        reporter.message("inside")
        report(2)
    assert shown(capsys) == ""


def test_a_stage_within_a_bar_is_shown_beside_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(TerminalProgress())
    with reporter.stage("calibrating", 3) as report:
        report.resumed(1)
        with reporter.stage("measuring"), reporter.stage("checking the pictures", 2) as inner:
            inner(2)
        report(2)
    text = shown(capsys)
    assert "2/2" in text
    assert text.index("2/2") < text.index("2/3")
