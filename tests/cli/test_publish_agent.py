"""``edgeagent publish agent`` in a repository with real keys, verified as a device does."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.delivery.repository.client import Client
from edgeagent.publisher.places import metadata_folder
from edgeagent.publisher.rollout_steps import read_steps
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.cli.command import mistake
from tests.launcher.wheels import build_wheel, stand_in


@pytest.mark.parametrize(
    ("action", "listed"), [("agent", ["rollout", "withdraw"]), ("rollout", ["watch"]), ("audit", ["verify"])]
)
def test_the_help_lists_the_actions(
    action: str, listed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["publish", action, "--help"])
    block = capsys.readouterr().out.partition("\nactions:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in block.splitlines()] == listed


@pytest.mark.parametrize("more", [[], ["--help"], ["stable", "0.2.0", "--percent", "5"]])
def test_a_folder_that_does_not_exist_is_told_with_the_actions(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["publish", "agent", "roll", *more])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert "roll: no such folder or archive of wheels; actions are rollout and withdraw" in told.err
    assert told.out == ""


def test_a_folder_that_does_not_exist_is_told_with_all_that_is_required(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = mistake(capsys, 2, "publish", "agent", "roll", "--board", "any")
    assert "roll: no such folder or archive of wheels; actions are rollout and withdraw" in told


def test_a_version_is_published_rolled_out_and_withdrawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("a passphrase for a test\n", encoding="utf-8")
    secret.chmod(0o600)
    fleet = tmp_path / "fleet"
    signing = ["--passphrase-file", str(secret), "--repository", str(fleet)]
    assert main(["publish", "init", str(fleet), "--keys", str(tmp_path / "keys"), *signing[:2]]) == 0
    build_wheel(tmp_path / "wheels", "0.2.0", stand_in("0.2.0"))
    command = [
        "publish",
        "agent",
        str(tmp_path / "wheels"),
        "--board",
        "rpi5,gate",
        "--percent",
        "5",
        *signing,
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "stable: edgeagent 0.2.0 for any architecture with any Python, 1 wheels" in said
    assert "for boards named rpi5 or gate; 5 % of the devices, by their names" in said
    assert "warning: gate: no known board has this name" in said
    assert "whose configuration has delivery.agent" in said
    assert main(command) == 7
    assert "has edgeagent 0.2.0 for any architecture with any Python already" in capsys.readouterr().err
    rollout = ["publish", "agent", "rollout", "stable", "0.2.0"]
    assert main([*rollout, "--percent", "25", "--window", "01:00-05:00", *signing]) == 0
    assert main([*rollout, "--pause", *signing]) == 0
    assert main([*rollout, *signing]) == 2
    assert main([*rollout, "--percent", "5,25", *signing]) == 2
    assert main(["publish", "verify", "--repository", str(fleet)]) == 0
    capsys.readouterr()
    assert main(["publish", "status", "--repository", str(fleet)]) == 0
    assert "edgeagent 0.2.0 for any" in capsys.readouterr().out
    steps = ["--percent", "25,100", "--every", "1h", "--halt-if", "rollback_rate>2%"]
    assert main([*rollout, *steps, *signing]) == 0
    assert "stable edgeagent 0.2.0: for 25 % of the devices; `rollout watch` goes on to 100 %" in (
        capsys.readouterr().out
    )
    assert main([*rollout, "--pause", *signing]) == 0
    (plan,) = read_steps(fleet).plans
    assert (plan.kind, plan.name, plan.version, plan.percents) == ("agent", "edgeagent", "0.2.0", (25, 100))
    capsys.readouterr()
    assert main(["publish", "status", "--repository", str(fleet)]) == 0
    assert "100 % at " in capsys.readouterr().out
    root = metadata_folder(fleet) / "1.root.json"
    client = Client(DeliverySettings(repository=str(fleet / "repository"), root=root), tmp_path / "metadata")
    (release,) = client.refresh().agents
    assert (release.rollout.percent, release.rollout.paused, release.withdrawn) == (25, True, None)
    client.fetch_agent(release, tmp_path / "archive.zip")
    assert (tmp_path / "archive.zip").stat().st_size == release.size
    withdraw = ["publish", "agent", "withdraw", "stable", "0.2.0", "--reason", "leaks", *signing]
    assert main(withdraw) == 0
    assert client.refresh().agents[0].withdrawn == "leaks"
    assert read_steps(fleet).plans == ()
    capsys.readouterr()
    assert main([*rollout, "--percent", "100", *signing]) == 7
    assert "edgeagent 0.2.0 is withdrawn (leaks); add a new version" in capsys.readouterr().err
    assert main([*withdraw[:4], "9.9.9", "--reason", "x", *signing]) == 7
    assert "has no edgeagent 9.9.9; it has 0.2.0" in capsys.readouterr().err
