"""Files and sockets that each command opens, without a network: ``python benchmarks/opened_files.py``.

Every command runs under strace in a network namespace of its own that has only a loopback interface, with an
empty home. A row counts what it opened to read outside of the program's own folders, what it opened to write,
and its sockets by family; ``--list`` prints the paths and addresses.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.cli.test_calls_nobody import COMMANDS, CONFIG, PROGRAM, ROOT, placed

ALONE = ("unshare", "--user", "--map-root-user", "--net", "sh", "-euc", 'ip link set lo up; exec "$@"', "sh")
TRACE = (
    "strace",
    "-f",
    "-qq",
    "-s",
    "200",
    "-e",
    "trace=open,openat,creat,socket,connect,bind,sendto,sendmsg",
)
OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]+)", ([A-Z_|]+)')
SOCKET = re.compile(r"socket\((AF_\w+)")
ADDRESS = re.compile(r"(?:connect|bind|sendto|sendmsg)\(.*?\{sa_family=(AF_INET6?|AF_UNIX), ([^}]*)")
FAILED = re.compile(r"= -1 E\w+")
PLACES = [Path(place) for place in (sys.prefix, sys.base_prefix, ROOT)]
OWN = tuple({str(place) for place in PLACES} | {str(place.resolve()) for place in PLACES})
KERNEL = ("/proc/", "/sys/", "/dev/")


@dataclass
class Opened:
    """What one command opened.

    Attributes:
        read: paths outside of the program, its interpreter, shared libraries and the kernel's file systems.
        kernel: paths of /proc, /sys and /dev.
        written: paths.
        sockets: number by family.
        addresses: that were connected, bound or sent to.
        status: exit codes.
    """

    read: set[str] = field(default_factory=set)
    kernel: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    sockets: Counter[str] = field(default_factory=Counter)
    addresses: set[str] = field(default_factory=set)
    status: list[int] = field(default_factory=list)

    def note(self, line: str, out: str) -> None:
        """Add a line of the trace; ``out`` is the folder of the command."""
        if FAILED.search(line):
            return
        if found := OPENED.search(line):
            path, flags = found.groups()
            path = path.replace(out, "OUT")
            if "O_DIRECTORY" in flags:
                return
            if "O_WRONLY" in flags or "O_RDWR" in flags:
                (self.kernel if path.startswith(KERNEL) else self.written).add(path)
            elif path.startswith(KERNEL):
                self.kernel.add(path)
            elif path.startswith("/") and not path.startswith(OWN) and ".so" not in path:
                self.read.add(path)
        elif found := SOCKET.search(line):
            self.sockets[found[1]] += 1
        elif found := ADDRESS.search(line):
            self.addresses.add(f"{found[1]} {found[2]}")


def trace(lines: Sequence[Sequence[str]]) -> Opened:
    """Run command lines one after the other, and return what they opened."""
    opened = Opened()
    with tempfile.TemporaryDirectory() as folder:
        out, home, log = Path(folder, "out"), Path(folder, "home"), Path(folder, "trace")
        out.mkdir()
        home.mkdir()
        (out / "edgeagent.yaml").write_text(CONFIG.format(out=out, root=ROOT), encoding="utf-8")
        (out / "passphrase").write_text("not a secret\n", encoding="utf-8")
        (out / "passphrase").chmod(0o600)
        for arguments in lines:
            words = [placed(word, out) for word in arguments]
            done = subprocess.run(
                [*ALONE, *TRACE, "-o", str(log), *PROGRAM, *words],
                cwd=ROOT,
                env={**os.environ, "HOME": str(home)},
                capture_output=True,
                check=False,
            )
            opened.status.append(done.returncode)
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                opened.note(line, str(out))
        opened.written |= {f"~/{path.relative_to(home)}" for path in home.rglob("*") if path.is_file()}
    return opened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--list", action="store_true", help="paths and addresses, too")
    given = parser.parse_args()
    print("| command | exit | read | of /proc, /sys, /dev | written | sockets | beyond this machine |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in given.commands:
        try:
            opened = trace(COMMANDS[name])
        except pytest.skip.Exception as absent:
            print(f"| {name} | {absent} |", flush=True)
            continue
        sockets = ", ".join(f"{count} {family}" for family, count in sorted(opened.sockets.items())) or "none"
        beyond = [one for one in opened.addresses if "AF_INET" in one and not re.search(r'127\.|"::1"', one)]
        beyond = [one for one in beyond if "htons(0)" not in one]
        status = " ".join(map(str, opened.status))
        row = (name, status, len(opened.read), len(opened.kernel), len(opened.written), sockets)
        print("| " + " | ".join(map(str, (*row, ", ".join(beyond) or "none"))) + " |", flush=True)
        if given.list:
            for title, paths in (
                ("read", opened.read),
                ("kernel", opened.kernel),
                ("written", opened.written),
                ("address", opened.addresses),
            ):
                print("".join(f"    {title}: {path}\n" for path in sorted(paths)), end="")


if __name__ == "__main__":
    main()
