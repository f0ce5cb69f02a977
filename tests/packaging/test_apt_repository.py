"""The apt repository, read by apt itself in a root of its own; changed files are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.building import PACKAGING, program_or_skip

pytestmark = pytest.mark.slow
CONTROL = """\
Package: edgeagent
Version: {version}
Architecture: {architecture}
Maintainer: the edgeagent authors <edgeagent@localhost>
Description: a package of the test
"""


@pytest.fixture(scope="module")
def gpg_home() -> Iterator[dict[str, str]]:
    """A keyring with one key; its path is short, as it holds the socket of gpg's agent."""
    program_or_skip("gpg")
    with tempfile.TemporaryDirectory(prefix="gpg") as folder:
        environment = {**os.environ, "GNUPGHOME": folder}
        generate = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key"]
        subprocess.run(
            [*generate, "repository@example.org", "ed25519", "sign", "never"], env=environment, check=True
        )
        yield environment
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environment, check=False)


def small_package(folder: Path, version: str, architecture: str = "amd64") -> Path:
    root = folder / f"{version}-{architecture}"
    (root / "DEBIAN").mkdir(parents=True)
    control = CONTROL.format(version=version, architecture=architecture)
    (root / "DEBIAN" / "control").write_text(control, encoding="ascii")
    package = folder / f"edgeagent_{version}_{architecture}.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(package)], check=True, stdout=subprocess.DEVNULL)
    return package


def publish(
    repository: Path, environment: dict[str, str], *packages: Path
) -> subprocess.CompletedProcess[str]:
    script = str(PACKAGING / "apt_repository.py")
    command = [
        sys.executable,
        script,
        "--key",
        "repository@example.org",
        str(repository),
        *map(str, packages),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def repository(gpg_home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    program_or_skip("dpkg-deb")
    folder = tmp_path_factory.mktemp("repository")
    versions = [("0.1.0-1~debian12", "amd64"), ("0.1.0-2~debian12", "amd64"), ("0.1.0-1~debian12", "arm64")]
    packages = [small_package(folder, *version) for version in versions]
    packages.append(small_package(folder, "0.1.0-1~ubuntu24.04"))
    done = publish(folder / "apt", gpg_home, *packages)
    assert done.returncode == 0, done.stderr
    return folder / "apt"


class Apt:
    """apt-get for one repository, with folders of its own."""

    def __init__(self, folder: Path, repository: Path, suite: str = "bookworm") -> None:
        program_or_skip("apt-get")
        for name in ("etc/apt", "state/lists/partial", "cache/archives/partial", "log"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        keyring = repository / "edgeagent-archive-keyring.gpg"
        source = f"deb [signed-by={keyring}] file:{repository} {suite} main\n"
        (folder / "etc/apt/sources.list").write_text(source, encoding="utf-8")
        (folder / "apt.conf").write_text(
            f'Dir::Etc "{folder}/etc/apt";\nDir::State "{folder}/state";\n'
            f'Dir::State::status "{folder}/state/status";\nDir::Cache "{folder}/cache";\n'
            f'Dir::Log "{folder}/log";\n'
            'APT::Architecture "amd64";\nAPT::Architectures {"amd64";};\nAcquire::Languages "none";\n'
            'APT::Sandbox::User "root";\n',
            encoding="utf-8",
        )
        self._folder = folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", "-o", "Acquire::Check-Date=false", *arguments]
        environment = {**os.environ, "APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C"}
        return subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )


def test_apt_updates_and_downloads_the_newest_and_an_older_version(repository: Path, tmp_path: Path) -> None:
    apt = Apt(tmp_path / "root", repository)
    update = apt.run("update", "--error-on=any")
    assert update.returncode == 0, update.stderr
    download = apt.run("download", "edgeagent")
    assert download.returncode == 0, download.stderr
    older = apt.run("download", "edgeagent=0.1.0-1~debian12")
    assert older.returncode == 0, older.stderr
    found = sorted(path.name for path in (tmp_path / "root").glob("*.deb"))
    assert found == ["edgeagent_0.1.0-1~debian12_amd64.deb", "edgeagent_0.1.0-2~debian12_amd64.deb"]


def test_a_suite_has_the_packages_of_its_system_only(repository: Path, tmp_path: Path) -> None:
    apt = Apt(tmp_path / "root", repository, "noble")
    assert apt.run("update", "--error-on=any").returncode == 0
    assert apt.run("download", "edgeagent").returncode == 0
    (found,) = (tmp_path / "root").glob("*.deb")
    assert found.name == "edgeagent_0.1.0-1~ubuntu24.04_amd64.deb"


@pytest.mark.parametrize(
    ("changed", "old", "new", "reason"),
    [
        ("dists/bookworm/InRelease", b"Label: edgeagent", b"Label: someoneelse", "BADSIG"),
        ("dists/bookworm/main/binary-amd64/Packages", b"of the test", b"of somebody", "Hash Sum mismatch"),
    ],
)
def test_changed_indexes_are_refused(
    repository: Path, tmp_path: Path, changed: str, old: bytes, new: bytes, reason: str
) -> None:
    copy = tmp_path / "apt"
    shutil.copytree(repository, copy)
    content = (copy / changed).read_bytes()
    assert old in content
    (copy / changed).write_bytes(content.replace(old, new))
    (copy / "dists/bookworm/main/binary-amd64/Packages.gz").unlink()
    apt = Apt(tmp_path / "root", copy)
    update = apt.run("update", "--error-on=any")
    assert update.returncode == 100
    assert reason in update.stderr + update.stdout
    assert apt.run("download", "edgeagent").returncode == 100


def test_a_changed_package_is_refused(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "apt"
    shutil.copytree(repository, copy)
    package = copy / "pool" / "edgeagent_0.1.0-2~debian12_amd64.deb"
    package.write_bytes(package.read_bytes()[:-1] + b"x")
    apt = Apt(tmp_path / "root", copy)
    assert apt.run("update", "--error-on=any").returncode == 0
    assert apt.run("download", "edgeagent").returncode == 100


def test_a_key_other_than_the_boards_is_refused(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "apt"
    shutil.copytree(repository, copy)
    with tempfile.TemporaryDirectory(prefix="gpg") as folder:
        environment = {**os.environ, "GNUPGHOME": folder}
        generate = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key"]
        subprocess.run(
            [*generate, "repository@example.org", "ed25519", "sign", "never"], env=environment, check=True
        )
        keyring = (copy / "edgeagent-archive-keyring.gpg").read_bytes()
        assert publish(copy, environment).returncode == 0
        (copy / "edgeagent-archive-keyring.gpg").write_bytes(keyring)
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environment, check=False)
    update = Apt(tmp_path / "root", copy).run("update", "--error-on=any")
    assert update.returncode == 100
    assert "NO_PUBKEY" in update.stderr + update.stdout


def test_a_package_has_the_name_of_its_fields(gpg_home: dict[str, str], tmp_path: Path) -> None:
    """A browser or a shop of files renames what it stores."""
    odd = tmp_path / "edge agent (1).deb"
    small_package(tmp_path, "0.1.0-1~debian12", "arm64").rename(odd)
    pool = tmp_path / "apt" / "pool"
    for given in (odd, pool / "edgeagent_0.1.0-1~debian12_arm64.deb"):
        done = publish(tmp_path / "apt", gpg_home, given)
        assert done.returncode == 0, done.stderr
        assert [path.name for path in pool.iterdir()] == ["edgeagent_0.1.0-1~debian12_arm64.deb"]
    index = tmp_path / "apt/dists/bookworm/main/binary-arm64/Packages"
    assert "Filename: pool/edgeagent_0.1.0-1~debian12_arm64.deb" in index.read_text(encoding="utf-8")


def test_what_no_board_could_install_is_refused(gpg_home: dict[str, str], tmp_path: Path) -> None:
    done = publish(tmp_path / "apt", gpg_home, small_package(tmp_path, "0.1.0-1~debian12", "all"))
    assert done.returncode == 1
    assert "for amd64 or arm64" in done.stderr
    (tmp_path / "page.deb").write_text("<html>not found</html>", encoding="ascii")
    done = publish(tmp_path / "apt", gpg_home, tmp_path / "page.deb")
    assert done.returncode == 1
    assert "no Debian package" in done.stderr
    assert not list((tmp_path / "apt" / "pool").iterdir())


def test_a_package_for_no_known_system_is_refused(gpg_home: dict[str, str], tmp_path: Path) -> None:
    done = publish(tmp_path / "apt", gpg_home, small_package(tmp_path, "0.1.0-1"))
    assert done.returncode == 1
    assert "names none of the systems" in done.stderr
