from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.daemon.watchdog import LOOK_S
from edgeagent.errors import BundleError, ConfigurationError, NoCandidateError
from edgeagent.provisioning.document import FOLDER, SUFFIX
from edgeagent.provisioning.record import RECORD
from edgeagent.provisioning.sources import PLACES
from edgeagent.publisher.signers import DAYS
from edgeagent.settings.sections.delivery import ProbationSettings

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNIT = SYSTEMD / "edgeagent.service"
PROVISION = SYSTEMD / "edgeagent-provision.service"
PROGRAM = "/opt/edgeagent/bin/edgeagent-start"
COMMAND = "/opt/edgeagent/bin/edgeagent"
MOST_EXPOSED = 2.0
"""Exposure of the service by `systemd-analyze security`, 0 to 10."""
MOST_EXPOSED_OF_ROOT = 4.5
RULE_KEY = re.compile(r'(ACTION|SUBSYSTEM|KERNEL|ATTR\{\w+\}|ENV\{\w+\}|GROUP|RUN|TAG)(==|=|\+=)"([^"]+)"')


def tool(name: str) -> str:
    """Return the path of a systemd tool; continuous integration must have it."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed; install the package systemd")
        pytest.skip(f"{name} is not installed (package systemd)")
    return path


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("systemd-analyze"), "--man=no", "verify", str(unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def copy(directory: Path, old: str, new: str) -> Path:
    """Copy the unit with the program replaced by one that exists here, and one more change."""
    text = UNIT.read_text(encoding="utf-8")
    assert PROGRAM in text
    assert old in text
    for other in ("edgeagent.path", "edgeagent.timer"):
        shutil.copy(SYSTEMD / other, directory)
    provision_copy(directory)
    target = directory / UNIT.name
    target.write_text(
        text.replace(old, new).replace(PROGRAM, sys.executable).replace(COMMAND, sys.executable),
        encoding="utf-8",
    )
    return target


def provision_copy(directory: Path) -> Path:
    """Copy the units of provisioning, with the program replaced by one that exists here."""
    for unit in (PROVISION, SYSTEMD / "media-edgeagent.mount"):
        text = unit.read_text(encoding="utf-8").replace(COMMAND, sys.executable)
        (directory / unit.name).write_text(text, encoding="utf-8")
    return directory / PROVISION.name


def settings(unit: Path) -> list[str]:
    """Return the settings of a unit without comments and sections."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "=" in line and not line.startswith("#")]


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    done = verify(copy(tmp_path, "[Unit]", "[Unit]"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RestartSec=5s", "RestartSec=soon"),
        ("KillMode=mixed", "KillMod=mixed"),
        (PROGRAM, "/nonexistent/program"),
    ],
)
def test_the_check_sees_mistakes(tmp_path: Path, old: str, new: str) -> None:
    done = verify(copy(tmp_path, old, new))
    assert done.returncode != 0 or done.stderr


def test_the_unit_does_what_operators_rely_on() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for line in (
        "Type=notify",
        "NotifyAccess=main",
        "User=edgeagent",
        "Restart=always",
        "After=network.target",
        "Wants=edgeagent.path edgeagent.timer",
        "StateDirectory=edgeagent",
        f"ExecStart={PROGRAM} run -c /etc/edgeagent/edgeagent.yaml",
    ):
        assert line in lines
    assert not any("network-online" in line for line in lines)


@pytest.mark.parametrize("name", ["edgeagent.path", "edgeagent.timer"])
def test_systemd_accepts_what_starts_the_service_again(tmp_path: Path, name: str) -> None:
    unit = copy(tmp_path, "[Unit]", "[Unit]").with_name(name)
    done = verify(unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # stopped by hand, it stays stopped; failed, it is started again
    assert {"PartOf=edgeagent.service", "Unit=edgeagent.service"} <= set(settings(unit))


def test_the_drop_in_for_a_jetson_is_accepted(tmp_path: Path) -> None:
    unit = copy(tmp_path, "[Unit]", "[Unit]")
    folder = tmp_path / f"{UNIT.name}.d"
    folder.mkdir()
    shutil.copy(SYSTEMD / "jetson.conf", folder)
    done = verify(unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_service_is_hardly_exposed(tmp_path: Path) -> None:
    unit = copy(tmp_path, "[Unit]", "[Unit]")
    command = [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for edgeagent\.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= MOST_EXPOSED


def test_nothing_of_the_hardening_breaks_engines_and_sensors() -> None:
    lines = settings(UNIT)
    for line in ("CapabilityBoundingSet=", "SystemCallFilter=@system-service", "DevicePolicy=closed"):
        assert line in lines
    names = {line.split("=")[0] for line in lines}
    assert not names & {
        "MemoryDenyWriteExecute",
        "PrivateUsers",
        "PrivateDevices",
        "PrivateNetwork",
        "ProcSubset",
    }


def test_configuration_errors_are_not_restarted_every_few_seconds() -> None:
    lines = settings(UNIT)
    (codes,) = [line.split("=")[1].split() for line in lines if line.startswith("RestartPreventExitStatus")]
    wanted = (ConfigurationError, BundleError, NoCandidateError)
    assert [int(code) for code in codes] == [error.exit_code for error in wanted]
    assert "PathChanged=/etc/edgeagent" in settings(SYSTEMD / "edgeagent.path")
    assert "OnUnitInactiveSec=5min" in settings(SYSTEMD / "edgeagent.timer")


def test_a_trial_ends_before_the_starts_are_limited() -> None:
    (burst,) = [line.split("=")[1] for line in settings(UNIT) if line.startswith("StartLimitBurst")]
    assert ProbationSettings().strikes < int(burst)


def test_the_watchdog_is_longer_than_the_looks_of_the_agent() -> None:
    lines = settings(UNIT)
    assert "WatchdogSec=60s" in lines
    assert "TimeoutStartSec=3min" in lines
    assert LOOK_S * 4 < 60.0


def test_folders_are_made_for_the_service(tmp_path: Path) -> None:
    lines = (SYSTEMD / "edgeagent.tmpfiles").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    assert {row[1] for row in rows} >= {"/etc/edgeagent", "/var/lib/edgeagent"}
    assert all(int(row[2], 8) & 0o007 == 0 for row in rows)
    own = tmp_path / "tmpfiles.conf"
    me = {"root": str(os.getuid()), "edgeagent": str(os.getgid())}
    own.write_text("\n".join(" ".join(me.get(word, word) for word in row) for row in rows) + "\n")
    root = tmp_path / "root"
    root.mkdir()
    command = [tool("systemd-tmpfiles"), "--create", f"--root={root}", str(own)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    assert (root / "etc/edgeagent").stat().st_mode & 0o777 == 0o750


def test_provisioning_comes_once_and_before_the_service(tmp_path: Path) -> None:
    copy(tmp_path, "[Unit]", "[Unit]")
    for name in (PROVISION.name, "media-edgeagent.mount"):
        done = verify(tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert f"ConditionPathExists=!/etc/edgeagent/{FOLDER}/{RECORD}" in settings(SYSTEMD / name)
    assert {f"Wants={PROVISION.name}", f"After={PROVISION.name}"} <= set(settings(UNIT))
    command = [
        tool("systemd-analyze"),
        "security",
        "--offline=yes",
        "--no-pager",
        str(tmp_path / PROVISION.name),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= MOST_EXPOSED_OF_ROOT


def test_provisioning_is_started_for_the_places_that_it_searches() -> None:
    globs = {
        line.partition("=|/")[2]
        for line in settings(PROVISION)
        if line.startswith("ConditionPathExistsGlob=")
    }
    # a folder in /run/media is that of a user
    places = [place for place in PLACES if place != "run/media/*"]
    assert globs == {f"{place}/{inner}*{SUFFIX}" for place in places for inner in ("", "edgeagent/")}
    writable = [
        line.partition("=")[2].strip("-") for line in settings(PROVISION) if line.startswith("ReadWrite")
    ]
    assert all(any(f"/{place}/".startswith(f"{path}/") for path in writable) for place in places)


@pytest.mark.parametrize("name", ["60-edgeagent.rules", "90-edgeagent-stick.rules"])
def test_the_rules_of_devices_are_well_formed(name: str) -> None:
    rules = SYSTEMD / name
    lines = [line for line in rules.read_text().splitlines() if line and not line.startswith("#")]
    groups = set()
    for line in lines:
        keys = [RULE_KEY.fullmatch(part.strip()) for part in line.split(", ")]
        assert all(keys), line
        groups |= {key[3] for key in keys if key and key[1] == "GROUP"}
    vendors = {found for line in lines for found in re.findall(r"idVendor\}==\"(\w+)", line)}
    assert vendors >= ({"1a6e", "18d1"} if name.startswith("60") else set())
    members = {
        line.split()[2]
        for line in (SYSTEMD / "edgeagent.sysusers").read_text().splitlines()
        if line[0] == "m"
    }
    assert groups <= members
    udevadm = shutil.which("udevadm")
    if udevadm is None:
        return
    known = subprocess.run([udevadm, "verify", "--help"], capture_output=True, text=True, check=False)
    if known.returncode == 0:  # systemd 254 or newer
        done = subprocess.run(
            [udevadm, "verify", "--resolve-names=never", str(rules)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_user_is_created_with_its_groups(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    configuration = SYSTEMD / "edgeagent.sysusers"
    command = [tool("systemd-sysusers"), f"--root={root}", str(configuration)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    users = (root / "etc/passwd").read_text().splitlines()
    groups = dict(line.split(":", 1) for line in (root / "etc/group").read_text().splitlines())
    assert any(line.startswith("edgeagent:") and ":/var/lib/edgeagent:" in line for line in users)
    for group in ("video", "render", "plugdev", "apex"):
        assert groups[group].endswith(":edgeagent")


REFRESH = SYSTEMD / "edgeagent-publish-refresh.service"


def refresh_copy(directory: Path) -> Path:
    """Copy the units that refresh a repository, with the program replaced by one that exists here."""
    for unit in (REFRESH, REFRESH.with_suffix(".timer")):
        text = unit.read_text(encoding="utf-8").replace(COMMAND, sys.executable)
        (directory / unit.name).write_text(text, encoding="utf-8")
    return directory / REFRESH.name


@pytest.mark.parametrize("suffix", [".service", ".timer"])
def test_systemd_accepts_the_units_that_refresh_a_repository(tmp_path: Path, suffix: str) -> None:
    done = verify(refresh_copy(tmp_path).with_suffix(suffix))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_refresh_reaches_nothing_but_the_repository(tmp_path: Path) -> None:
    unit = refresh_copy(tmp_path)
    lines = settings(unit)
    for line in (
        "User=edgeagent-publish",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateNetwork=yes",
        "ReadWritePaths=/srv/edgeagent-publish/fleet",
        "InaccessiblePaths=-/srv/edgeagent-publish/keys/offline",
    ):
        assert line in lines
    (command,) = [line for line in lines if line.startswith("ExecStart=")]
    assert "publish refresh " in command
    assert "--passphrase-file online=" in command
    assert "--role" not in command
    command_line = [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", str(unit)]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= MOST_EXPOSED


def test_the_refresh_comes_often_enough() -> None:
    assert {"OnCalendar=daily", "Persistent=yes"} <= set(settings(REFRESH.with_suffix(".timer")))
    assert DAYS["timestamp"] > 2


DETECTOR = SYSTEMD / "edgeagent-detector.service"


def detector_copy(directory: Path) -> Path:
    """Copy the unit of the served detector, with the program replaced by one that exists here."""
    target = directory / DETECTOR.name
    target.write_text(DETECTOR.read_text(encoding="utf-8").replace(COMMAND, sys.executable), encoding="utf-8")
    return target


def test_systemd_accepts_the_unit_of_the_served_detector(tmp_path: Path) -> None:
    done = verify(detector_copy(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_served_detector_is_hardly_exposed_and_reached_from_this_machine_only(tmp_path: Path) -> None:
    unit = detector_copy(tmp_path)
    lines = settings(unit)
    for line in (
        "User=edgeagent",
        "StateDirectory=edgeagent-detector",
        "RuntimeDirectory=edgeagent-detector",
        "RuntimeDirectoryPreserve=yes",
        "IPAddressDeny=any",
        "IPAddressAllow=localhost",
        "ProtectHome=yes",
        "DevicePolicy=closed",
    ):
        assert line in lines
    assert not any("video4linux" in line or "char-81" in line for line in lines)
    command_line = [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", str(unit)]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= MOST_EXPOSED


def test_the_served_detector_is_started_by_a_command_that_there_is() -> None:
    lines = settings(DETECTOR)
    (command,) = [line.partition("=")[2] for line in lines if line.startswith("ExecStart=")]
    assert command.startswith(f"{COMMAND} serve-detector ")
    (codes,) = [line.split("=")[1].split() for line in lines if line.startswith("RestartPreventExitStatus")]
    assert [int(code) for code in codes] == [
        error.exit_code for error in (ConfigurationError, BundleError, NoCandidateError)
    ]
    arguments = [*command.split()[1:], "--frigate-config"]
    assert main(arguments) == 0
    (folder,) = [line.partition("=")[2] for line in lines if line.startswith("RuntimeDirectory=")]
    assert f"ipc:///run/{folder}/" in command
