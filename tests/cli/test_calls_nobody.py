"""No command opens a connection beyond this machine, or leaves a file in the home directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.data import shared
from tests.fleet.rows import new_store
from tests.long import LONG


def can_trace() -> bool:
    """Return whether strace is installed and may trace here; some containers forbid it."""
    strace = shutil.which("strace")
    return (
        strace is not None
        and subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False).returncode == 0
    )


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace here"),
]

ROOT = Path(__file__).parents[2]
CONFIG = """\
state: {out}/state
cameras: [{{name: folder, source: "{root}/models/coco-nano/golden", fps: 10}}]
model: {{engine: onnxruntime-cpu, threads: 1}}
"""
PASSPHRASE = ("--passphrase-file", "OUT/passphrase")
FLEET = ("--repository", "OUT/fleet")
PICTURES = ("--images", "models/coco-nano/golden", "--labels", "models/coco-nano/golden")
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "help": (("--help",), ("--version",)),
    "run": (("run", "-c", "OUT/edgeagent.yaml"),),
    "status": (("status", "--state", "OUT/state"),),
    "doctor": (("doctor",),),
    "cameras": (
        ("cameras", "find", "--local"),
        ("cameras", "test", "models/coco-nano/golden", "--picture", "OUT/one.jpg"),
    ),
    "demo": (("demo", "--seconds", "1", "--out", "OUT/demo"),),
    "bench": (("bench", "--engine", "all", "--duration", "0.1", "--min-queries", "2"),),
    "eval": (("eval", "--bundle", "coco-nano", *PICTURES, "--engine", "onnxruntime"),),
    "bundle": (("bundle", "check", "models/coco-nano"),),
    "publish": (
        ("publish", "init", "OUT/fleet", "--keys", "OUT/keys", *PASSPHRASE),
        ("publish", "add", "models/coco-nano", "--board", "any", *FLEET, *PASSPHRASE),
        ("publish", "status", *FLEET),
        ("publish", "verify", *FLEET),
        ("publish", "refresh", *FLEET, *PASSPHRASE),
    ),
    "fleet": (
        ("fleet", "query", "--store", "OUT/s", "SELECT count() FROM telemetry FINAL"),
        ("fleet", "query", "--store", "OUT/s", "SELECT * FROM devices FINAL"),
    ),
    "qat lint": (("qat", "lint", "models/coco-nano/model.tensorrt.onnx", "models/coco-nano/model.tflite"),),
    "qat report": (("qat", "report", "models/coco-nano", "--out", "OUT/report.html"),),
    "qat train": (
        (
            *("qat", "train", "--model", "SHARED/models/yolox_nano.onnx", "--like", "models/coco-nano"),
            *("--images", "models/coco-nano/golden", "--steps", "1", "--batch", "1", "--ptq", "none"),
            *("--format", "onnx", "--out", "OUT/bundle"),
        ),
    ),
}
"""Command lines by case; all actions but ``qat sensitivity``, which takes minutes, and the rollouts of
``publish``, which connect to a broker. ``qat describe`` is below. ``SHARED`` is the development data."""
STRACE = ("strace", "--seccomp-bpf", "-f", "-qq", "-e")
CALLS = "trace=bind,connect,sendto,sendmsg,sendmmsg"
PROGRAM = (sys.executable, "-m", "edgeagent")
ANY_PORT = re.compile(r"bind\(.*sin6?_port=htons\(0\)")  # of a socket that connects
FONT_LIST = re.compile(r"\.cache/matplotlib/fontlist-[\w.]+\.json")
"""Fonts of this machine, which the library for charts looks up once."""
LOOPBACK = re.compile(r'inet_addr\("127\.|"::1"|"::ffff:127\.')


ALWAYS = ("help", "run", "status", "doctor", "publish", "fleet")


@pytest.mark.parametrize(
    "case", [case if case in ALWAYS else pytest.param(case, marks=LONG) for case in COMMANDS]
)
def test_a_command_calls_nobody(case: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "edgeagent.yaml").write_text(CONFIG.format(out=out, root=ROOT), "utf-8")
    (out / "passphrase").write_text("not a secret\n", "utf-8")
    (out / "passphrase").chmod(0o600)
    if case == "fleet":
        new_store(out / "s")
    for arguments in COMMANDS[case]:
        check_calls([placed(part, out) for part in arguments], tmp_path)


def placed(word: str, out: Path) -> str:
    """Return a word of a command line with its folders; skip the test without the data that it names."""
    if word.startswith("SHARED/"):
        pytest.importorskip("torch")
        return str(shared(*word.split("/")[1:]))
    return word.replace("OUT", str(out))


@pytest.mark.data
def test_the_description_of_a_model_calls_nobody(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    model, pictures = shared("models", "nanodet_m_416.onnx"), shared("data", "coco", "val")
    out = str(tmp_path / "model.yaml")
    check_calls(
        ["qat", "describe", str(model), "--pictures", str(pictures), "--count", "2", "--out", out], tmp_path
    )


def check_calls(arguments: Sequence[str], tmp_path: Path) -> None:
    """Run a command; check that it calls nobody beyond this machine and leaves no file in an empty home."""
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir(exist_ok=True)
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [*STRACE, CALLS, "-o", str(trace), *PROGRAM, *arguments],
        cwd=ROOT,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    called = [line for line in trace.read_text("utf-8").splitlines() if "AF_INET" in line]
    assert [line for line in called if not (LOOPBACK.search(line) or ANY_PORT.search(line))] == []
    left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    assert [name for name in left if not FONT_LIST.fullmatch(name)] == []


def test_a_call_would_be_seen(tmp_path: Path) -> None:
    """The check above notices a datagram to an address that is nobody's (RFC 5737)."""
    trace = tmp_path / "trace"
    program = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
    subprocess.run(
        [*STRACE, "trace=connect", "-o", str(trace), sys.executable, "-c", program],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    (line,) = (line for line in trace.read_text("utf-8").splitlines() if "AF_INET" in line)
    assert "192.0.2.1" in line
    assert not LOOPBACK.search(line)
