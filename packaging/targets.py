"""Systems and architectures for which packages are built, and what pip needs to choose wheels for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Release:
    """Release of a distribution: code name, version of its ``python3`` and of its C library."""

    suite: str
    python: str
    glibc: int


RELEASES = {
    "debian12": Release("bookworm", "3.11", 36),
    "debian13": Release("trixie", "3.13", 41),
    "ubuntu22.04": Release("jammy", "3.10", 35),
    "ubuntu24.04": Release("noble", "3.12", 39),
}


@dataclass(frozen=True)
class Target:
    """One package: a system, such as ``debian12``, and a Debian architecture."""

    system: str
    architecture: str

    @property
    def release(self) -> Release:
        return RELEASES[self.system]

    @property
    def machine(self) -> str:
        return MACHINES[self.architecture]

    @property
    def lock(self) -> Path:
        """Versions and hashes of the wheels."""
        return ROOT / "packaging" / "locks" / f"python{self.release.python}-{self.architecture}.txt"

    @property
    def pip(self) -> list[str]:
        """Options with which pip takes wheels of this target only (PEP 600)."""
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(self.release.glibc, 16, -1)]
        platforms = [f"--platform={tag}" for tag in (*tags, f"manylinux2014_{self.machine}")]
        return [
            "--only-binary=:all:",
            f"--python-version={self.release.python}",
            "--implementation=cp",
            *platforms,
        ]

    @property
    def markers(self) -> dict[str, str]:
        """Environment of this target for dependency markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.release.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.release.python}.0",
            "python_version": self.release.python,
            "sys_platform": "linux",
        }
