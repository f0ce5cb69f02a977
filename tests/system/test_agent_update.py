"""Updates of the agent itself: the installed package, wheels in a signed repository, and systemd.

The first version works and stays. Those after it crash or hang at their start: systemd starts them again or
ends them, and the version before comes back, also after a reboot and a power cut.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.building import copy_of_project, run_script
from tests.system.conftest import NewMachine
from tests.system.machine import Machine, Wanted
from tests.system.service import SUBSCRIBE, TOPIC, configure, main_process, message_of, wait_detecting
from tests.system.test_update import publish

DEPLOYMENT = (*SUBSCRIBE, TOPIC + "deployment")
UPDATE_S = 1800.0
GOOD, CRASHES, HANGS = "99.0.0", "99.1.0", "99.2.0"
LINE = "        self._settings = settings\n"
CHANGES = {
    CRASHES: ("edgeagent/daemon/agent.py", LINE, "        raise RuntimeError('a bug')\n"),
    HANGS: ("edgeagent/daemon/agent.py", LINE, "        __import__('signal').pause()\n"),
}
DELIVERY = """\
delivery:
  repository: /srv/models
  root: /srv/models/metadata/1.root.json
  check_every: 5s
  jitter: 0.0
  agent: {time: 5s, within: 10min, frames: 10, starts: 2}
"""
# A start takes some seconds, and a busy machine many: only a start that hangs takes so long.
LIMITS = "[Service]\nTimeoutStartSec=90s\n"


class Publisher:
    """The wheel sets, made once, and a repository of this module."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "passphrase").write_text("a passphrase for a test\n", encoding="utf-8")
        publish(folder, "init", "fleet", "--keys", "keys")
        self._project = copy_of_project(folder / "project")
        self._set_version(GOOD)
        run_script(self._project, "build_agent.py", "--out", folder)
        (self._wheels,) = folder.glob("agent-*")

    @property
    def repository(self) -> Path:
        """Return the folder that boards read."""
        return self._folder / "fleet" / "repository"

    def offer(self, version: str) -> None:
        """Publish a version: the good one, or one with its fault."""
        if version != GOOD:
            self._set_version(version)
            name, old, new = CHANGES[version]
            sound = self._replace(name, old, new)
            for wheel in self._wheels.glob("edgeagent-*.whl"):
                wheel.unlink()
            built = self._folder / version
            run_script(self._project, "build_wheel.py", built)
            (wheel,) = built.glob("*.whl")
            shutil.move(wheel, self._wheels)
            (self._project / name).write_text(sound, encoding="utf-8")
        publish(self._folder, "agent", str(self._wheels), "--board", "any", "--repository", "fleet")

    def _set_version(self, version: str) -> None:
        text = f'"""Version of the program."""\n\n__version__ = "{version}"\n'
        (self._project / "edgeagent" / "version.py").write_text(text, encoding="utf-8")

    def _replace(self, name: str, old: str, new: str) -> str:
        path = self._project / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return text


@pytest.fixture
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return Publisher(tmp_path_factory.mktemp("publisher"))


def agent_of(line: str) -> Mapping[str, Any]:
    """Return the part about the agent of a deployment message."""
    found: Mapping[str, Any] = message_of(line, "deployment").get("agent", {})
    return found


def is_bad(version: str) -> Wanted:
    """Return a test for a deployment message that lists a version among the bad ones."""
    return lambda line: any(version in str(one) for one in agent_of(line).get("bad", ()))


def running_from(machine: Machine) -> str:
    """Return the interpreter with which the main process of the service was started."""
    return machine.run("cat", f"/proc/{main_process(machine)}/cmdline").split("\0")[0]


def assert_runs(machine: Machine, version: str) -> None:
    """The service is a delivered version, and detects."""
    telemetry = wait_detecting(machine, f"of version {version}")
    assert telemetry["cameras"]["gate"]["state"] == "running"
    environment = "/var/lib/edgeagent/agent/versions/"
    assert running_from(machine).startswith(f"{environment}{version}"), running_from(machine)
    machine.wait_for(
        f"info of {version}",
        (*SUBSCRIBE, TOPIC + "info"),
        lambda line: message_of(line, "info").get("agent") == version,
    )


def test_a_delivered_version_stays_and_bad_ones_go(
    new_machine: NewMachine, full: None, publisher: Publisher
) -> None:
    machine = new_machine(f"--bind-ro={publisher.repository}:/srv/models")
    configure(machine, more=DELIVERY)
    machine.write("/etc/systemd/system/edgeagent.service.d/limits.conf", LIMITS)
    machine.boot()
    wait_detecting(machine, "after the boot")
    assert running_from(machine).startswith("/opt/edgeagent/"), running_from(machine)
    publisher.offer(GOOD)
    machine.wait_for(
        f"the end of the probation of {GOOD}",
        DEPLOYMENT,
        lambda line: agent_of(line).get("running") == GOOD and agent_of(line).get("last_state") == "good",
        UPDATE_S,
    )
    assert_runs(machine, GOOD)
    assert GOOD in machine.run("edgeagent", "status")
    machine.reboot()
    assert_runs(machine, GOOD)
    for version in (HANGS, CRASHES):
        publisher.offer(version)
        told = agent_of(machine.wait_for(f"the end of {version}", DEPLOYMENT, is_bad(version), UPDATE_S))
        assert (told["running"], told["last_state"]) == (GOOD, "rolled_back"), told
        assert "starts ended before its probation did" in told["last_reason"]
        assert_runs(machine, GOOD)
        status = machine.run("edgeagent", "status", check=False)
        assert version in status, status
    machine.cut_power()
    machine.boot()
    assert_runs(machine, GOOD)


def test_power_cuts_in_the_probation(new_machine: NewMachine, full: None, publisher: Publisher) -> None:
    """One start without an end is allowed: after the second power cut the package serves."""
    publisher.offer(GOOD)
    machine = new_machine(f"--bind-ro={publisher.repository}:/srv/models")
    configure(machine, more=DELIVERY.replace("time: 5s", "time: 10min"))
    machine.boot()
    for _ in range(2):
        machine.wait_for(
            f"the probation of {GOOD}",
            DEPLOYMENT,
            lambda line: agent_of(line).get("running") == GOOD,
            UPDATE_S,
        )
        machine.cut_power()
        machine.boot()
    line = machine.wait_for("the end of the trial", DEPLOYMENT, lambda line: bool(agent_of(line).get("bad")))
    assert "2 starts ended before its probation did" in agent_of(line)["last_reason"]
    wait_detecting(machine, "of the packaged version")
    assert running_from(machine).startswith("/opt/edgeagent/"), running_from(machine)
