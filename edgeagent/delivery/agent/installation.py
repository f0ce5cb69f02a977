"""Installation of a wheel set beside the running version.

::

    archive -> every wheel, hash verified -> its files, hashes verified -> byte code -> list of all files
        -> sync -> rename to versions/<slot>

An environment gets its name when it is complete and on the disk. Nothing of the set runs here, no network is
used, and no package of the running version is shared: only the system folders that ``edgeagent-system.pth``
of the package names (picamera2, TensorRT, HailoRT) are the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.tags import sys_tags

from edgeagent.delivery.agent.wheel_files import unpack_wheel
from edgeagent.delivery.agent.wheel_set import (
    WHEELS,
    WheelSetError,
    WheelSetManifest,
    check_tags,
    open_archive,
    read_set_manifest,
)
from edgeagent.delivery.errors import NoRoomError, storage_errors
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.files.atomic import write_state
from edgeagent.files.durable import make_folder, move_folder
from edgeagent.files.hashing import chunks
from edgeagent.launcher.environment import LIST, interpreter, list_files, site_packages
from edgeagent.launcher.record import PARTIAL, VERSIONS

SYSTEM_PATHS = "edgeagent-system.pth"
"""File of the package's environment that names the folders of system packages."""
BYTE_CODE_SHARE = 1.5
"""Bytes of an environment over those of its wheels' files: the byte code."""
MARGIN = 64 << 20
"""Bytes that stay free for the rest of the agent's state."""
COMPILE_S = 1800.0


def check_room(folder: Path, need: int) -> None:
    """Check that there is room for an installation.

    Args:
        folder: of the agent's versions.
        need: bytes.

    Raises:
        NoRoomError: there is not.
    """
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    if need + MARGIN > free:
        raise NoRoomError(
            f"{folder}: an update of the agent needs {need + MARGIN} bytes, the disk has {free}; make room"
        )


def needed_bytes(release: AgentRelease) -> int:
    """Return the bytes that the archive of a release and its environment need."""
    return release.size + int(release.unpacked * BYTE_CODE_SHARE)


def install(archive: Path, release: AgentRelease, folder: Path, package: Path) -> Path:
    """Install an archive that TUF has verified, and return the environment.

    Args:
        archive: of the set.
        release: that it is of.
        folder: of the agent's versions.
        package: environment of the package, with the system paths.

    Raises:
        WheelSetError: the set is damaged, is not what the index says, or is for another platform.
        NoRoomError: the disk is full.
        DeliveryError: the disk fails.
    """
    partial, final = folder / PARTIAL / f"{release.slot}.env", folder / VERSIONS / release.slot
    with storage_errors(partial), open_archive(archive) as content:
        manifest = read_set_manifest(content, archive.name)
        _check_is(release, manifest, archive.name)
        check_tags(manifest, sys_tags())
        for old in (partial, final):
            if old.exists():
                shutil.rmtree(old)
        site = site_packages(partial)
        make_folder(site)
        for wheel in manifest.wheels:
            temporary = partial / "wheel"
            with content.open(f"{WHEELS}{wheel.file}") as source, temporary.open("wb") as target:
                digest = hashlib.sha256()
                for chunk in chunks(source):
                    digest.update(chunk)
                    target.write(chunk)
            if digest.hexdigest() != wheel.sha256:
                raise WheelSetError(f"{archive.name}: {wheel.file} has not the hash of the manifest")
            unpack_wheel(temporary, wheel, site)
            temporary.unlink()
        _finish(partial, final, package)
        os.sync()  # one for thousands of files; each is hashed by the launcher before it is used
        move_folder(partial, final)
    return final


def plain_environment() -> dict[str, str]:
    """Return the environment variables for a program of another version: none of this service's."""
    own = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "EDGEAGENT_LAUNCHED", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _check_is(release: AgentRelease, manifest: WheelSetManifest, source: str) -> None:
    if (manifest.version, manifest.platform) != (release.version, release.platform):
        raise WheelSetError(
            f"{source}: is edgeagent {manifest.version} for {manifest.platform}; the index says "
            f"{release.version} for {release.platform}"
        )
    if manifest.unpacked > release.unpacked:
        raise WheelSetError(f"{source}: has more bytes unpacked than the index says")
    formats = (manifest.record_format, manifest.minimum_state_format)
    if formats != (release.record_format, release.minimum_state_format):
        raise WheelSetError(f"{source}: has other formats than the index says")


def _finish(environment: Path, final: Path, package: Path) -> None:
    """Add the interpreter, system paths, byte code for its final place, and the list of files."""
    python = Path(sys.executable).resolve()
    (environment / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    (environment / "bin").mkdir()
    interpreter(environment).symlink_to(python)
    system = site_packages(package) / SYSTEM_PATHS
    if system.is_file():
        shutil.copyfile(system, site_packages(environment) / SYSTEM_PATHS)
    command = ["nice", "-n", "10", str(python), "-I", "-S", "-m", "compileall", "-q"]
    command += ["-s", str(environment), "-p", str(final), str(site_packages(environment))]
    try:  # a file that is no Python of this version stays without byte code
        subprocess.run(command, check=False, capture_output=True, timeout=COMPILE_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise WheelSetError(f"{environment.name}: its byte code took longer than {COMPILE_S:g} s") from None
    write_state(environment / LIST, list_files(environment))
