"""Wheel sets that a publisher checks and signs, and the entries of a channel."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from edgeagent.delivery.agent.wheel_set import WheelSetError
from edgeagent.delivery.repository.agent_entry import AgentRelease, WheelPlatform
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.publisher.agent_release import check_set
from edgeagent.publisher.wheel_set import check_wheels
from tests.delivery.agent.offers import checked_set
from tests.launcher.wheels import build_wheel, stand_in

LIBRARY = {"library/__init__.py": b""}


def agent(folder: Path, *requires: str) -> None:
    build_wheel(folder, "0.2.0", stand_in("0.2.0"), requires)


def library(folder: Path, tag: str, version: str = "1.0.0", name: str = "library") -> None:
    build_wheel(folder, version, {f"{name}/__init__.py": b""}, (), tag, name)


def test_the_platform_is_that_of_the_wheels(tmp_path: Path) -> None:
    agent(tmp_path, "library>=1")
    library(tmp_path, "cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64")
    library(tmp_path, "cp39-abi3-manylinux_2_28_aarch64", name="other")
    manifest = check_wheels(tmp_path).manifest
    assert manifest.platform == WheelPlatform(python="3.11", machine="aarch64", glibc=(2, 28))
    assert manifest.platform.label == "python3.11-aarch64-glibc2.28"
    assert (manifest.version, manifest.state_format, len(manifest.wheels)) == ("0.2.0", 1, 3)


def test_a_set_of_plain_wheels_is_for_any_platform(tmp_path: Path) -> None:
    agent(tmp_path)
    assert check_wheels(tmp_path).manifest.platform.label == "any"
    assert check_wheels(tmp_path, python="3.13").manifest.platform.label == "python3.13"


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("absent>=2", "edgeagent needs absent>=2"),
        ("library>=2", "edgeagent needs library>=2, the set has 1.0.0"),
        ('absent; python_version >= "3.0"', "edgeagent needs absent"),
    ],
)
def test_a_requirement_that_is_not_in_the_set_is_refused(tmp_path: Path, requires: str, reason: str) -> None:
    agent(tmp_path, requires)
    library(tmp_path, "py3-none-any")
    with pytest.raises(WheelSetError, match=reason.replace("(", r"\(")):
        check_wheels(tmp_path)


def test_requirements_of_the_system_of_extras_and_of_other_platforms(tmp_path: Path) -> None:
    agent(
        tmp_path,
        "picamera2",
        'reader>=1; extra == "reading"',
        'windows-only; sys_platform == "win32"',
        'only-arm; platform_machine == "aarch64"',
    )
    library(tmp_path, "cp311-cp311-manylinux_2_28_x86_64")
    manifest = check_wheels(tmp_path, provided=["Picamera2"]).manifest
    assert manifest.provided == ("picamera2",)
    with pytest.raises(WheelSetError, match="edgeagent needs reader>=1"):
        check_wheels(tmp_path, provided=["picamera2"], extras=["reading"])


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (["cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_28_aarch64"], "aarch64 and x86_64"),
        (["cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_x86_64"], "3.11 and 3.12"),
        (["cp311-cp311-linux_x86_64"], "only wheels for manylinux say"),
        (["cp311-cp311-win_amd64"], "only wheels for manylinux say"),
    ],
)
def test_wheels_of_different_or_unclear_platforms_are_refused(
    tmp_path: Path, tags: list[str], reason: str
) -> None:
    agent(tmp_path)
    for number, tag in enumerate(tags):
        library(tmp_path, tag, name=f"library{number}")
    with pytest.raises(WheelSetError, match=reason):
        check_wheels(tmp_path)


def test_what_is_no_sound_wheel_is_refused(tmp_path: Path) -> None:
    agent(tmp_path)
    (tmp_path / "edgeagent-0.2.0.tar.gz").write_bytes(b"source")
    with pytest.raises(WheelSetError, match="not built on boards"):
        check_wheels(tmp_path)
    (tmp_path / "edgeagent-0.2.0.tar.gz").rename(tmp_path / "library-1.0.0-py3-none-any.whl")
    with pytest.raises(WheelSetError, match="is no wheel, or damaged"):
        check_wheels(tmp_path)
    (tmp_path / "library-1.0.0-py3-none-any.whl").unlink()
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("edgeagent/evil.py", "import os")
    with pytest.raises(WheelSetError, match="has no SHA-256 in RECORD"):
        check_wheels(tmp_path)


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "a/../../evil.py", "a\\evil.py"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    build_wheel(tmp_path, "0.2.0", {**stand_in("0.2.0"), name: b""})
    with pytest.raises(WheelSetError, match="leads out of its folder"):
        check_wheels(tmp_path)


def test_a_set_without_one_agent_or_its_formats_is_refused(tmp_path: Path) -> None:
    library(tmp_path / "none", "py3-none-any")
    with pytest.raises(WheelSetError, match="has 0 wheels of edgeagent"):
        check_wheels(tmp_path / "none")
    files = stand_in("0.2.0")
    del files["edgeagent/launcher/formats.py"]
    build_wheel(tmp_path / "old", "0.2.0", files)
    with pytest.raises(WheelSetError, match="cannot be delivered"):
        check_wheels(tmp_path / "old")
    build_wheel(tmp_path / "part", "0.2.0", stand_in("0.2.0", formats=b"RECORD_FORMAT = 1\n"))
    with pytest.raises(WheelSetError, match="lacks one of"):
        check_wheels(tmp_path / "part")


def test_an_archive_is_the_same_set_again(tmp_path: Path) -> None:
    checked = checked_set(tmp_path / "wheels", "0.2.0")
    checked.write(tmp_path / "a.zip")
    checked.write(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    again, folder = check_set(tmp_path / "a.zip")
    assert folder is not None
    assert again.manifest == checked.manifest
    folder.cleanup()
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(WheelSetError, match="is no wheel set"):
        check_set(tmp_path / "a.zip")


def test_no_model_can_lie_where_the_agent_does() -> None:
    release = AgentRelease(
        version="0.2.0",
        sequence=1,
        boards=("any",),
        rollout=Rollout(id="a"),
        platform=WheelPlatform(python="3.11"),
        sha256="0" * 64,
        size=1,
        unpacked=1,
    )
    assert release.target("stable") == "stable/_agent/0.2.0/python3.11.zip"
    with pytest.raises(ValueError, match="name"):
        Release.model_validate({"name": "_agent"})
