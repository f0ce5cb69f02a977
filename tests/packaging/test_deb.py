"""The Debian package, built from a lock of two small wheels: files, modes, control, scripts, equal bytes."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.long import LONG
from tests.packaging.building import PACKAGING, ROOT, copy_of_project, program_or_skip, run_script

pytestmark = [pytest.mark.slow, LONG]
SYSTEMS = {"debian12": "3.11", "debian13": "3.13", "ubuntu22.04": "3.10", "ubuntu24.04": "3.12"}
SITE = "opt/edgeagent/lib/python3.11/site-packages"


@pytest.fixture(scope="module")
def small_lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lock = tmp_path_factory.mktemp("lock") / "small.txt"
    lines = (PACKAGING / "locks" / "python3.11-arm64.txt").read_text(encoding="ascii").splitlines()
    lock.write_text(
        "".join(f"{line}\n" for line in lines if line.startswith(("mdurl=", "six="))), encoding="ascii"
    )
    return lock


def build(root: Path, out: Path, lock: Path, revision: int = 1, epoch: int = 1_790_000_000) -> Path:
    arguments = [
        "--arch",
        "arm64",
        "--lock",
        lock,
        "--compress",
        "none",
        "--revision",
        revision,
        "--out",
        out,
    ]
    run_script(root, "build_deb.py", *arguments, epoch=epoch)
    (package,) = out.glob(f"*-{revision}~*.deb")
    return package


@pytest.fixture(scope="module")
def package(small_lock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program_or_skip("dpkg-deb")
    folder = tmp_path_factory.mktemp("deb")
    return build(copy_of_project(folder / "project"), folder / "dist", small_lock)


@pytest.fixture(scope="module")
def tree(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree") / "root"
    subprocess.run(["dpkg-deb", "-R", str(package), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def control(tree: Path) -> Message:
    return Parser().parsestr((tree / "DEBIAN" / "control").read_text(encoding="utf-8"))


def contents(package: Path) -> list[list[str]]:
    """Return mode, owner and path of every entry."""
    done = subprocess.run(["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True)
    return [[line.split()[0], line.split()[1], line.split()[5]] for line in done.stdout.splitlines()]


def test_the_bytes_do_not_depend_on_place_and_time(package: Path, small_lock: Path, tmp_path: Path) -> None:
    second = copy_of_project(tmp_path / "another" / "place")
    for path in second.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    assert build(second, tmp_path / "dist", small_lock).read_bytes() == package.read_bytes()


def test_everything_belongs_to_root_and_only_the_configuration_is_not_for_all(package: Path) -> None:
    entries = contents(package)
    assert {owner for _, owner, _ in entries} == {"root/root"}
    modes = {path: mode for mode, _, path in entries}
    assert modes["./etc/edgeagent/edgeagent.yaml"] == "-rw-r-----"
    assert modes["./opt/edgeagent/bin/edgeagent"] == "-rwxr-xr-x"
    assert modes["./opt/edgeagent/bin/edgeagent-start"] == "-rwxr-xr-x"
    others = {
        mode
        for path, mode in modes.items()
        if path.startswith("./opt") and not path.endswith("bin/edgeagent")
    }
    assert others == {"drwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"}


def test_control_names_the_python_of_the_system(control: Message) -> None:
    assert control["Package"] == "edgeagent"
    assert control["Version"] == "0.1.0-1~debian12"
    assert control["Architecture"] == "arm64"
    assert "python3.11," in control["Depends"]
    assert int(control["Installed-Size"]) > 15_000


def test_the_files_are_where_the_system_looks_for_them(tree: Path) -> None:
    for place in (
        "usr/lib/systemd/system/edgeagent.service",
        "usr/lib/systemd/system/edgeagent-provision.service",
        "usr/lib/systemd/system/media-edgeagent.mount",
        "usr/lib/udev/rules.d/90-edgeagent-stick.rules",
        "usr/lib/sysusers.d/edgeagent.conf",
        "usr/share/doc/edgeagent/copyright",
        "usr/share/doc/edgeagent/changelog.gz",
        "usr/share/man/man1/edgeagent.1.gz",
        "usr/share/bash-completion/completions/edgeagent",
        f"{SITE}/edgeagent/models/coco-nano/manifest.yaml",
        f"{SITE}/edgeagent/config/edgeagent.yaml",
        f"{SITE}/six.py",
    ):
        assert (tree / place).is_file(), place
    assert (tree / "usr/bin/edgeagent").readlink() == Path("/opt/edgeagent/bin/edgeagent")
    launcher = (tree / "opt/edgeagent/bin/edgeagent").read_text(encoding="ascii").splitlines()
    assert launcher[0] == "#!/opt/edgeagent/bin/python3 -I"
    compile("\n".join(launcher), "edgeagent", "exec")
    assert (tree / "opt/edgeagent/bin/python3").readlink() == Path("/usr/bin/python3.11")
    assert (tree / "DEBIAN/conffiles").read_text(encoding="ascii") == "/etc/edgeagent/edgeagent.yaml\n"
    for unit in (ROOT / "systemd").glob("edgeagent.*"):
        assert list(tree.rglob(unit.name)) or unit.suffix in {".sysusers", ".tmpfiles"}, unit.name


def test_nothing_of_the_build_is_left_in_the_package(tree: Path) -> None:
    names = {path.name for path in tree.rglob("*")}
    assert not names & {"__pycache__", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    places = (str(tree).encode(), str(ROOT).encode(), b"/build/hatchling")
    for path in (tree / "opt").rglob("*.dist-info/*"):
        if path.is_file():
            assert not [place for place in places if place in path.read_bytes()], path


def test_the_copyright_file_lists_every_wheel(tree: Path) -> None:
    text = (tree / "usr/share/doc/edgeagent/copyright").read_text(encoding="utf-8")
    assert "License: Apache-2.0" in text
    assert "Comment: mdurl 0.1.2" in text
    assert "Comment: six 1.17.0" in text
    assert "License: MIT" in text
    for line in text.splitlines():
        if line.startswith(" /opt/"):
            assert (tree / line.strip().removeprefix("/")).is_file(), line


def test_the_python_of_the_system_imports_the_program_from_the_package(tree: Path, tmp_path: Path) -> None:
    code = "import edgeagent.version as v; print(v.__file__, v.__version__)"
    environment = {**os.environ, "PYTHONPATH": str(tree / SITE)}
    done = subprocess.run(
        [shutil.which("python3") or "python3", "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tree / SITE / "edgeagent/version.py"), "0.1.0"]


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_maintainer_scripts_are_correct_shell(name: str) -> None:
    subprocess.run(["sh", "-n", str(PACKAGING / "debian" / name)], check=True)
    subprocess.run([program_or_skip("shellcheck"), str(PACKAGING / "debian" / name)], check=True)


def test_upgrade_and_downgrade_are_ordered_versions() -> None:
    program_or_skip("dpkg")
    for lower, higher in (
        ("0.1.0-1~debian12", "0.1.0-2~debian12"),
        ("0.1.0-1~debian12", "0.1.0-1~debian13"),
        ("0.1.0-9~debian13", "0.2.0-1~debian12"),
    ):
        subprocess.run(["dpkg", "--compare-versions", lower, "lt", higher], check=True)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_lock_names_wheels_by_version_and_hash(system: str, architecture: str) -> None:
    lock = PACKAGING / "locks" / f"python{SYSTEMS[system]}-{architecture}.txt"
    lines = lock.read_text(encoding="ascii").splitlines()
    for line in lines:
        name, separator, digest = line.partition(" --hash=sha256:")
        assert separator
        assert len(digest) == 64, line
        assert "==" in name
    names = {line.partition("==")[0] for line in lines}
    assert {"ai-edge-litert", "onnxruntime", "numpy", "opencv-python-headless", "tuf", "pycocotools"} <= names


def test_a_lock_that_lacks_a_requirement_is_noticed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PACKAGING)
    program_tree, targets = importlib.import_module("tree"), importlib.import_module("targets")
    target = targets.Target("debian12", "arm64")
    missing = program_tree.missing_requirements(tree / SITE, target, frozenset({"eval"}))
    assert any(line.startswith("edgeagent needs ai-edge-litert") for line in missing)
    assert any(line.startswith("edgeagent needs pycocotools") for line in missing)
    assert not any("openvino" in line for line in missing)
