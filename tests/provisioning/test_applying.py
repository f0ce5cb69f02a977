"""Application on a board: everything or nothing, once, private, and never over what somebody edited."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import included_configuration
from edgeagent.provisioning.applying import BEFORE, CONFIGURATION, Application, ApplyOptions, apply_provision
from edgeagent.provisioning.document import FOLDER, SUFFIX, Provision, read_provision
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.owned_files import Ownership
from edgeagent.provisioning.record import RECORD, read_provisioning_record
from edgeagent.provisioning.sources import FoundProvision
from edgeagent.settings.file import load_settings
from tests.provisioning.desk import SECRET, made, stick

HEADER = "device,cameras,username,password"


class Site:
    """A board with a stick.

    Attributes:
        etc: folder of the configuration.
        stick: folder with files of two boards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.etc = folder, folder / "etc"
        rows = (f"gate-1,0,u,{SECRET}", "gate-2,/dev/video2,u,other")
        self.stick = stick(folder / "stick", made(folder, *rows, header=HEADER, broker="b"))

    def file(self, number: int = 1) -> Path:
        """Return a provisioning file."""
        return self.stick / f"gate-{number}{SUFFIX}"

    def apply(self, number: int = 1, **options: object) -> Application:
        """Apply a provisioning file."""
        path = self.file(number)
        return apply_provision(
            FoundProvision(path, read_provision(path)),
            self.etc,
            ApplyOptions(**options),  # type: ignore[arg-type]
        )

    def tree(self) -> dict[str, bytes]:
        """Return the content of the configuration folder."""
        found = sorted(self.etc.rglob("*")) if self.etc.exists() else []
        return {str(path.relative_to(self.etc)): path.read_bytes() for path in found if path.is_file()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_new_board_gets_its_configuration_once(site: Site) -> None:
    wanted = read_provision(site.file())
    done = site.apply()
    assert (done.changed, done.source) == (True, "removed")
    settings = load_settings(site.etc / CONFIGURATION)
    assert settings.device == "gate-1"
    assert settings.mqtt.password_file is not None
    assert settings.mqtt.password_file.read_text(encoding="utf-8") == f"{SECRET}\n"
    assert not site.file().exists()
    assert site.file(2).exists()
    record = read_provisioning_record(site.etc)
    assert record.applied is not None
    assert (record.applied.id, record.applied.device, record.applied.file) == (
        wanted.id,
        "gate-1",
        f"gate-1{SUFFIX}",
    )
    assert SECRET not in (site.etc / FOLDER / RECORD).read_text(encoding="utf-8")


def test_only_the_owner_and_the_group_of_the_service_read_it(site: Site) -> None:
    site.apply()
    for path in site.etc.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to a group by root only")
def test_the_group_of_the_service_reads_it(site: Site) -> None:
    group = grp.getgrall()[-1]
    site.apply(ownership=Ownership.of_service(group.gr_name))
    for path in site.etc.rglob("*"):
        status = path.stat()
        assert status.st_mode & 0o777 == (0o750 if path.is_dir() else 0o640), path
        assert (status.st_uid, status.st_gid) == (0, group.gr_gid), path
    assert Ownership.of_service("no-such-group").group is None


def test_applied_again_nothing_changes_but_the_file_goes(site: Site) -> None:
    kept = site.folder / f"kept{SUFFIX}"
    shutil.copyfile(site.file(), kept)
    site.apply()
    before = site.tree()
    kept.rename(site.file())
    done = site.apply()
    assert (done.changed, done.source) == (False, "removed")
    assert site.tree() == before


def test_another_file_takes_the_place_of_the_first_and_its_secrets_go(site: Site) -> None:
    site.apply()
    site.apply(2)
    assert load_settings(site.etc / CONFIGURATION).device == "gate-2"
    assert not any(SECRET.encode() in content for content in site.tree().values())
    assert len([path for path in (site.etc / FOLDER).iterdir() if path.is_dir()]) == 1


def test_the_configuration_of_the_package_is_replaced(site: Site) -> None:
    site.etc.mkdir()
    shutil.copyfile(included_configuration(), site.etc / CONFIGURATION)
    assert site.apply().changed


@pytest.mark.parametrize("first", [False, True])
def test_an_edited_configuration_is_left_alone_without_replace(site: Site, first: bool) -> None:
    if first:
        site.apply()
        with (site.etc / CONFIGURATION).open("a", encoding="utf-8") as file:
            file.write("# edited\n")
    else:
        site.etc.mkdir()
        (site.etc / CONFIGURATION).write_text("cameras: [{name: a, source: 0}]\n", encoding="ascii")
    before = site.tree()
    with pytest.raises(ProvisioningError, match="was edited by hand"):
        site.apply(2)
    assert site.tree() == before
    assert site.file(2).exists()
    assert site.apply(2, replace=True).changed
    assert (site.etc / BEFORE).read_bytes() == before[CONFIGURATION]
    assert load_settings(site.etc / CONFIGURATION).device == "gate-2"
    if first:  # what was kept still has its files
        assert load_settings(site.etc / BEFORE).mqtt.password_file.is_file()  # type: ignore[union-attr]


def test_kept_it_is_for_its_owner_only(site: Site) -> None:
    site.file().chmod(0o644)
    assert site.apply(keep=True).source == "kept, readable for its owner only"
    assert site.file().stat().st_mode & 0o777 == 0o600


def test_a_medium_that_is_gone_or_read_only_afterwards_is_told(site: Site) -> None:
    path = site.file()
    found = FoundProvision(Path("/proc/version"), read_provision(path))  # can be read, and never removed
    done = apply_provision(found, site.etc, ApplyOptions())
    assert done.changed
    assert "cannot be removed" in done.source
    assert "holds secrets" in done.source


def test_what_does_not_check_changes_nothing(site: Site) -> None:
    site.apply()
    before = site.tree()
    good = read_provision(site.file(2))
    changes: tuple[dict[str, object], ...] = (
        {"configuration": good.configuration.replace("host:", "hots:")},
        {"configuration": good.configuration.replace("mqtt-password", "gone")},
        {"files": {}},
    )
    for change in changes:
        bad = Provision.model_validate({**good.model_dump(), **change})
        with pytest.raises(ConfigurationError, match=r"nothing was changed"):
            apply_provision(FoundProvision(site.file(2), bad), site.etc, ApplyOptions())
        assert site.tree() == before
    assert site.file(2).exists()


def test_a_full_disk_changes_nothing(site: Site) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system needs root")
    site.etc.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(site.etc)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        (site.etc / "filler").write_bytes(bytes(8192))
        with pytest.raises(ProvisioningError, match="No space left"):
            site.apply()
        assert set(site.tree()) == {"filler"}
        assert site.file().exists()
        (site.etc / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=1m", str(site.etc)], check=True)
        assert site.apply().changed
    finally:
        subprocess.run(["umount", str(site.etc)], check=True)


def test_a_damaged_record_is_written_again(site: Site) -> None:
    site.apply()
    (site.etc / FOLDER / RECORD).write_text("{", encoding="ascii")
    with pytest.raises(ProvisioningError, match="edited by hand"):  # who wrote it is not known any more
        site.apply(2)
    site.apply(2, replace=True)
    assert read_provisioning_record(site.etc).applied is not None


def test_the_command(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["provision", "apply", str(site.file()), "--to", str(site.etc)]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "gate-1" in printed.out
    assert "removed" in printed.out
    assert SECRET not in printed.out + printed.err
    assert main(command) == 2
    assert "No such file" in capsys.readouterr().err
    half = site.file(2)
    half.write_bytes(half.read_bytes()[:-100])
    before = site.tree()
    assert main(["provision", "apply", str(half), "--to", str(site.etc)]) == 2
    assert "is incomplete" in capsys.readouterr().err
    assert site.tree() == before
