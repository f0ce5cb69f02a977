from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeagent.engines.availability import availability, find_library
from edgeagent.engines.delegates import (
    CATALOGUE,
    Delegate,
    Needs,
    external_delegate,
    find_delegates,
)
from tests.sensors.tree import link_entries, unpack

ROOT = Path(__file__).parents[2]


def only_the_device(name: str) -> Delegate:
    """Return an entry that needs its device, and no package of its vendor."""
    (delegate,) = find_delegates(name)
    return replace(delegate, needs=replace(delegate.needs, packages=("sys",), provider=None, library=None))


@pytest.fixture
def edgetpu_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the loader's with a file of the library's name; nothing opens it."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    (folder / "libedgetpu.so.1").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{folder}")


@pytest.mark.parametrize(
    ("name", "boards"),
    [
        ("tflite-edgetpu", {"coral-usb", "coral-pcie"}),
        ("onnxruntime-tensorrt", {"jetson-orin-nano"}),
        ("onnxruntime-cuda", {"jetson-orin-nano"}),
        ("hailo", {"hailo"}),
        ("openvino-npu", set[str]()),
    ],
)
def test_devices_of_boards(tmp_path: Path, name: str, boards: set[str]) -> None:
    found = set()
    for board in ("coral-usb", "coral-pcie", "hailo", "jetson-orin-nano", "raspberry-pi-5"):
        if availability(only_the_device(name), unpack(board, tmp_path / board)).ok:
            found.add(board)
    assert found == boards


def test_what_needs_no_device_is_available_everywhere(tmp_path: Path) -> None:
    here = [one.name for one in CATALOGUE if availability(one, unpack("raspberry-pi-5", tmp_path)).ok]
    assert here == ["tflite-xnnpack", "openvino-cpu", "onnxruntime-cpu"]


def test_the_first_thing_that_is_missing_is_told(tmp_path: Path) -> None:
    def missing(name: str) -> str | None:
        (delegate,) = find_delegates(name)
        return availability(delegate, tmp_path).missing

    assert missing("hailo") == "the package hailo_platform is not installed"
    assert missing("tflite-edgetpu") == "the library libedgetpu.so.1 is not installed"
    assert missing("onnxruntime-tensorrt") == (
        "the installed onnxruntime was built without TensorrtExecutionProvider"
    )
    assert missing("openvino-npu") == "no device: there is no /dev/accel/accel*"
    assert missing("onnxruntime-cpu") is None


def test_a_delegate_of_another_machine() -> None:
    delegate = replace(only_the_device("onnxruntime-cpu"), needs=Needs(("sys",), machines=("riscv64",)))
    assert availability(delegate).missing == f"this is {platform.machine()}; it runs on riscv64"


@pytest.mark.parametrize(
    ("flags", "missing"), [("fpu avx2", "this processor has no avx9 and no amx9"), ("fpu amx9", None)]
)
def test_a_delegate_for_other_processors(tmp_path: Path, flags: str, missing: str | None) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"flags : {flags}\n", encoding="ascii")
    delegate = replace(only_the_device("onnxruntime-cpu"), needs=Needs(("sys",), flags=("avx9", "amx9")))
    assert availability(delegate, tmp_path).missing == missing


@pytest.mark.usefixtures("edgetpu_library")
class TestEdgeTpu:
    def missing(self, root: Path) -> str | None:
        (delegate,) = find_delegates("tflite-edgetpu")
        return availability(delegate, root).missing

    def test_usb_before_and_after_its_first_use(self, tmp_path: Path) -> None:
        root = unpack("coral-usb", tmp_path / "tree")
        assert self.missing(root) is None
        stick = root / "sys/bus/usb/devices/2-1"
        (stick / "idVendor").write_text("1a6e\n", encoding="ascii")
        (stick / "idProduct").write_text("089a\n", encoding="ascii")
        assert self.missing(root) is None

    def test_entries_are_links_in_a_real_tree(self, tmp_path: Path) -> None:
        root = unpack("coral-usb", tmp_path / "tree")
        link_entries(root, "sys/bus/usb/devices")
        assert self.missing(root) is None

    def test_unplugged(self, tmp_path: Path) -> None:
        root = unpack("coral-usb", tmp_path / "tree")
        (root / "sys/bus/usb/devices/2-1/idVendor").unlink()
        assert self.missing(root) == (
            "no device: there is no /dev/apex_* and no USB 1a6e:089a and no USB 18d1:9302"
        )


class TestPermission:
    """Root may open everything, so the question is asked by a process that has become nobody."""

    PROGRAM = """
import os, sys
from pathlib import Path
from edgeagent.engines.availability import availability
from tests.engines.test_availability import only_the_device
delegate, root = only_the_device(sys.argv[1]), Path(sys.argv[2])
availability(delegate, root)  # imports what nobody may not
if os.getuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
print(availability(delegate, root).missing)
"""

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        """A folder that nobody may enter, which those of pytest are not."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            yield Path(name)

    def ask(self, name: str, root: Path) -> str:
        command = [sys.executable, "-c", self.PROGRAM, name, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        return done.stdout.strip()

    def test_a_usb_stick_that_only_root_may_use(self, folder: Path) -> None:
        node = unpack("coral-usb", folder) / "dev/bus/usb/002/003"
        node.chmod(0o000)
        assert self.ask("tflite-edgetpu", folder) == (
            f"no permission on {node}; add the user to group plugdev"
        )
        node.chmod(0o666)
        assert self.ask("tflite-edgetpu", folder) == "None"

    def test_one_of_several_devices_is_enough(self, folder: Path) -> None:
        tree = unpack("coral-pcie", folder)
        (tree / "dev/apex_0").chmod(0o000)
        (tree / "dev/apex_1").touch()
        (tree / "dev/apex_1").chmod(0o666)
        assert self.ask("tflite-edgetpu", folder) == "None"

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another group")
    def test_the_group_is_that_of_the_node(self, folder: Path) -> None:
        node = unpack("coral-pcie", folder) / "dev/apex_0"
        os.chown(node, 0, 44)  # video, on Debian
        node.chmod(0o660)
        assert self.ask("tflite-edgetpu", folder) == f"no permission on {node}; add the user to group video"


def test_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_library("libc.so.6") == "libc.so.6"
    assert find_library("libno-such-delegate.so.1") is None
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert find_library("libmine.so") is None
    path = tmp_path / "libmine.so"
    path.touch()
    assert find_library("libmine.so") == "libmine.so"
    assert find_library(str(path)) == str(path)
    assert find_library(str(tmp_path / "absent.so")) is None
    assert availability(external_delegate(str(path), {})).ok
