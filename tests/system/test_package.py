"""The packages on running machines: install, upgrade, downgrade and purge on Debian and Ubuntu."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import NewMachine
from tests.system.debian_tree import SUITES
from tests.system.package import debian_package, with_version
from tests.system.service import (
    CONFIGURATION,
    SUBSCRIBE,
    TOPIC,
    configure,
    later_run,
    wait_detecting,
)

NEWER = "9.0-1~debian12"


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package as ``old.deb``, and as ``new.deb`` under a later version."""
    folder = tmp_path_factory.mktemp("debs")
    package = debian_package("amd64")
    (folder / "old.deb").symlink_to(package)
    with_version(package, NEWER, folder).rename(folder / "new.deb")
    return folder


def test_upgrade_and_downgrade_keep_state_and_configuration(
    new_machine: NewMachine, full: None, debs: Path
) -> None:
    old = debian_package("amd64")
    machine = new_machine(f"--bind-ro={old}:/mnt/old.deb", f"--bind-ro={debs / 'new.deb'}:/mnt/new.deb")
    configure(machine)
    machine.boot()
    telemetry = wait_detecting(machine, "after the boot")
    configuration = machine.run("cat", CONFIGURATION)
    for package, version in (("new.deb", NEWER), ("old.deb", "")):
        with machine.expecting(
            f"telemetry after the installation of {package}",
            (*SUBSCRIBE, TOPIC + "telemetry"),
            later_run(telemetry),
        ):
            machine.run("dpkg", "--install", f"/mnt/{package}", limit=1200)
        telemetry = wait_detecting(machine, f"after the installation of {package}")
        found = machine.run("dpkg-query", "--show", "--showformat=${Version}", "edgeagent")
        assert found == version if version else found != NEWER
        assert machine.run("cat", CONFIGURATION) == configuration
        assert machine.run("systemctl", "is-enabled", "edgeagent.service").strip() == "enabled"
    assert "9.0" not in machine.run("edgeagent", "--version")


@pytest.mark.parametrize("system", SUITES)
def test_it_installs_detects_and_is_purged(
    new_machine: NewMachine, request: pytest.FixtureRequest, system: str
) -> None:
    if system != "debian12":
        request.getfixturevalue("full")
    machine = new_machine(system=system)
    configure(machine)
    machine.boot()
    wait_detecting(machine, f"after the boot of {system}")
    machine.run("dpkg", "--remove", "edgeagent", limit=600)
    assert machine.run("ls", "/etc/edgeagent").strip(), "removal takes the configuration"
    assert machine.run("ls", "/var/lib/edgeagent").strip(), "removal takes the state"
    machine.run("dpkg", "--purge", "edgeagent", limit=600)
    for path in ("/opt/edgeagent", "/var/lib/edgeagent", "/etc/edgeagent", "/usr/bin/edgeagent"):
        assert machine.run("find", path, check=False).startswith("find:"), f"purge leaves {path}"
    assert not machine.run("pgrep", "-f", "/opt/edgeagent", check=False).split()
    assert "could not be found" in machine.run("systemctl", "status", "edgeagent.service", check=False)
    assert "edgeagent" not in machine.run("systemctl", "--failed", "--plain", "--no-legend")
