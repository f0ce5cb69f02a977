"""A Debian tree of another architecture, entered with chroot and run by qemu-user.

The tree sees a Cortex-A76, the processor of a Raspberry Pi 5, and its processor files instead of /sys of this
computer. ONNX Runtime and OpenVINO crash where those of x86 meet the processor that qemu shows; and with all
extensions that qemu 7.2 has, LiteRT computes nonsense.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.system.container import Overlay
from tests.system.debian_tree import cache_folder, debian_tree
from tests.system.package import debian_package, package_key
from tests.system.requirements import need_machines

BINFMT = Path("/proc/sys/fs/binfmt_misc")
PROCESSOR = {
    "possible": "0",
    "present": "0",
    "online": "0",
    "kernel_max": "0",
    "cpu0/online": "1",
    "cpu0/regs/identification/midr_el1": "0x00000000414fd0b1",
    **{f"cpu0/topology/{name}_id": "0" for name in ("core", "cluster", "physical_package")},
    **{f"cpu0/topology/{name}": "1" for name in ("core_cpus", "thread_siblings", "package_cpus")},
    **{f"cpu0/topology/{name}_list": "0" for name in ("core_cpus", "thread_siblings", "package_cpus")},
}
_ENTER = """
lower=$1 upper=$2 work=$3 root=$4; shift 4
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot "$root" /usr/bin/env -i QEMU_CPU=cortex-a76 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
"""


def need_emulation() -> None:
    """Skip the test where arm64 programs cannot run here."""
    need_machines()
    if shutil.which("qemu-aarch64-static") is None:
        pytest.skip("needs the Debian packages qemu-user-static, binfmt-support and arch-test")
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=False)
    if not (BINFMT / "qemu-aarch64").exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], capture_output=True, check=False)
    if not (BINFMT / "qemu-aarch64").exists():
        pytest.skip("the kernel does not run arm64 programs by qemu: binfmt_misc cannot be set up here")


class ForeignTree:
    """A tree of arm64 under an overlay; ``folder`` is empty, ``layers`` are as for a machine."""

    def __init__(self, layers: Sequence[Path], folder: Path) -> None:
        self._overlay = Overlay(tuple(layers), folder)
        self._overlay.make()
        for name, text in PROCESSOR.items():
            self.write(f"/sys/devices/system/cpu/{name}", f"{text}\n")

    @property
    def upper(self) -> Path:
        """Return the folder of what was written."""
        return self._overlay.upper

    def write(self, path: str, text: str) -> None:
        """Write a file of the tree, while no command runs in it."""
        file = self.upper / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def copy(self, source: Path, path: str) -> None:
        """Copy a file into the tree, while no command runs in it."""
        target = self.upper / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def run(self, *command: str, limit: float = 3000.0) -> str:
        """Run a command; return its standard output.

        Raises:
            AssertionError: it failed or took longer than ``limit`` seconds.
        """
        folder = self._overlay.folder
        places = [":".join(map(str, self._overlay.layers))]
        places += [str(folder / name) for name in ("upper", "work", "root")]
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _ENTER, "sh"]
        try:
            done = subprocess.run(
                [*enter, *places, *command],
                capture_output=True,
                text=True,
                check=False,
                timeout=limit,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"waited {limit:g} s for the end of {' '.join(command)}") from error
        assert done.returncode == 0, (
            f"{' '.join(command)} failed with {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout


def installed_arm64() -> tuple[Path, ...]:
    """Return the layers of an arm64 tree with the package installed; made once for each package."""
    package, tree = debian_package("arm64"), debian_tree("arm64")
    layer = cache_folder() / f"installed-arm64-{tree.name[-12:]}-{package_key(package)}"
    if not layer.is_dir():
        folder = layer.with_suffix(f".{os.getpid()}")
        try:
            foreign = ForeignTree((tree,), folder)
            _compile(package, foreign.upper)
            foreign.copy(package, "/tmp/edgeagent.deb")
            # The tree is unpacked, so dpkg knows none of its packages.
            foreign.run("dpkg", "--force-depends", "--install", "/tmp/edgeagent.deb")
            (foreign.upper / "tmp/edgeagent.deb").unlink()
            foreign.upper.rename(layer)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return layer, tree


def _compile(package: Path, root: Path) -> None:
    """Write the byte code of a package, which is that of every processor, where this Python is the tree's.

    The script of the package then finds it; under emulation it takes a quarter of an hour.
    """
    subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    if sys.version_info[:2] == (3, 11):
        command = [sys.executable, "-m", "compileall", "-q", "-s", str(root), "-p", "/"]
        subprocess.run([*command, str(root / "opt/edgeagent/lib")], check=False, capture_output=True)
