"""A command in a Debian tree under an overlay, by systemd-nspawn in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HIERARCHIES = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"))
_START = """
name=$1 lower=$2 upper=$3 work=$4 root=$5; shift 5
for one in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -e "$one/cgroup.procs" ]; then mkdir -p "$one/$name"; echo $$ > "$one/$name/cgroup.procs"; fi
done
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
exec setpriv --pdeathsig KILL systemd-nspawn --quiet --register=no --keep-unit --private-network \
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe \
    --machine="$name" --directory="$root" "$@"
"""


@dataclass(frozen=True)
class Overlay:
    """Folders of an overlay in ``folder`` above ``layers``, the uppermost first."""

    layers: tuple[Path, ...]
    folder: Path

    @property
    def upper(self) -> Path:
        """Return the folder of what was written."""
        return self.folder / "upper"

    @property
    def name(self) -> str:
        """Return the name of the machine and of its control groups."""
        return f"edgeagent-test-{os.getpid()}-{self.folder.name}"[:60]

    def make(self) -> None:
        """Make the folders."""
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True)

    def command(self, options: Sequence[str]) -> list[str]:
        """Return a command that mounts the overlay and starts systemd-nspawn in it.

        The kernel unmounts it when the command ends, and ends the command when its parent ends.
        """
        lower = ":".join(map(str, self.layers))
        places = [self.name, lower, *(str(self.folder / name) for name in ("upper", "work", "root"))]
        return ["unshare", "--mount", "sh", "-euc", _START, "sh", *places, *options]

    def remove_control_groups(self) -> None:
        """Remove the control groups of a machine that has ended."""
        for hierarchy in _HIERARCHIES:
            root = hierarchy / self.name
            groups = sorted((one for one in root.rglob("*") if one.is_dir()), key=lambda one: -len(one.parts))
            for group in (*groups, root):
                with contextlib.suppress(OSError):
                    group.rmdir()


def run_in(overlay: Overlay, *command: str, binds: Sequence[str] = (), limit: float = 1200.0) -> str:
    """Run a command in the overlay without booting it; return what it printed.

    Raises:
        AssertionError: it failed or took longer than ``limit`` seconds.
    """
    options = [*(f"--bind-ro={bind}" for bind in binds), "--", *command]
    try:
        done = subprocess.run(
            overlay.command(options),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"waited {limit:g} s for the end of {' '.join(command)}") from error
    finally:
        overlay.remove_control_groups()
    assert done.returncode == 0, f"{' '.join(command)} failed: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout
