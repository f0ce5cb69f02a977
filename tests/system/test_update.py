"""Power cuts in the middle of an update of the model: detection goes on, and the update ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.machine import Machine
from tests.system.service import SUBSCRIBE, TOPIC, configure, message_of, wait_detecting

ROOT = Path(__file__).parents[2]
DEPLOYMENT = (*SUBSCRIBE, TOPIC + "deployment")
DELIVERY = """\
delivery:
  repository: /srv/models
  root: /srv/models/metadata/1.root.json
  check_every: 5s
  jitter: 0.0
  gate: {accuracy_required: false}
  probation: {time: 20s, frames: 20, slower: 100, rate_change: 1.0, score_change: 1.0}
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a signed repository whose newest model is coco-small."""
    folder = tmp_path_factory.mktemp("publisher")
    secret = folder / "passphrase"
    secret.write_text("a passphrase for a test\n", encoding="utf-8")
    publish(folder, "init", "fleet", "--keys", "keys")
    bundle = ROOT / "models" / "coco-small"
    publish(folder, "add", str(bundle), "--board", "any", "--repository", "fleet")
    return folder / "fleet" / "repository"


def publish(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "edgeagent", "publish", *arguments]
    command += ["--passphrase-file", "passphrase"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("state", ["gating", "trial"])
def test_a_power_cut_in_the_middle_of_an_update(
    machine: Machine, full: None, repository: Path, state: str
) -> None:
    configure(machine, more=DELIVERY)
    machine.copy(repository, "/srv/models")
    machine.boot()
    seen: list[str] = []

    def reached(line: str) -> bool:
        seen.append(message_of(line, "deployment").get("state", ""))
        return seen[-1] == state

    machine.wait_for(f"the state {state} of the update", DEPLOYMENT, reached)
    machine.cut_power()
    machine.boot()
    wait_detecting(machine, "after the power cut")
    line = machine.wait_for(
        "the end of the update",
        DEPLOYMENT,
        lambda line: message_of(line, "deployment").get("state") in ("good", "rejected", "rolled back"),
    )
    ended = message_of(line, "deployment")
    assert ended["state"] == "good", ended
    assert ended["current"]["name"] == "coco-small", ended
    wait_detecting(machine, "after the update")


def test_an_orderly_reboot_in_probation(machine: Machine, full: None, repository: Path) -> None:
    configure(machine, more=DELIVERY)
    machine.copy(repository, "/srv/models")
    machine.boot()
    machine.wait_for(
        "the probation of the update",
        DEPLOYMENT,
        lambda line: message_of(line, "deployment").get("state") == "trial",
    )
    machine.reboot()
    line = machine.wait_for(
        "the end of the update",
        DEPLOYMENT,
        lambda line: message_of(line, "deployment").get("state") in ("good", "rejected", "rolled back"),
    )
    assert message_of(line, "deployment")["state"] == "good", line
