"""``edgeagent serve-detector``: started as a program, asked, and ended by signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from edgeagent.cli import main
from edgeagent.files.resources import included_bundles
from tests.cli.command import edgeagent, mistake
from tests.included import QUICK_NAME

PATIENCE_S = 120.0


@contextmanager
def serving(*arguments: str, state: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the command; gives the process and the addresses that it logs."""
    command = [sys.executable, "-m", "edgeagent", "serve-detector", "--bundle", QUICK_NAME]
    command += ["--engine", "onnxruntime-cpu", "--threads", "1", *arguments]
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"is served at (.*)$", line):
                yield process, found[1].split(", ")
                break
        else:
            pytest.fail("it ended")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_a_client_asks(tmp_path: Path, number: signal.Signals) -> None:
    pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
    pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")
    from tests.serve.frigate_client import FrigateClient
    from tests.serve.served import street

    where = ("--bind", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0")
    with serving(*where, state=tmp_path) as (process, addresses):
        assert [address.partition(":")[0] for address in addresses] == ["tcp", "http"]
        with FrigateClient(addresses[0]) as client:
            assert client.handshake()["model_loaded"]
            picture = street()
            assert client.detect(picture[None]).any()
            header = json.dumps({"shape": list(picture.shape), "dtype": "uint8"}).encode()
            client._socket.send_multipart([header, picture.tobytes()])
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        log = process.stderr.read()
    assert re.search(r"Frigate: \d answered.*, 1 handshakes", log)
    assert "KServe: no requests" in log
    assert "Traceback" not in log


def test_beyond_loopback_is_refused_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    for option, address in (("--bind", "tcp://0.0.0.0:5555"), ("--http", "0.0.0.0:8000")):
        line = mistake(capsys, 2, "serve-detector", "--bundle", QUICK_NAME, option, address)
        assert line.startswith(f"{option}: 0.0.0.0:")
        assert "no authentication" in line
        assert "--beyond-loopback" in line


@pytest.mark.parametrize(
    ("code", "arguments", "said"),
    [
        (2, ("--bind", "5555"), "--bind '5555': expected tcp://"),
        (2, ("--http", "8000"), "--http '8000': expected an IP address and a port"),
        (2, ("--score", "nan"), "--score: expected 0 to 1"),
        (3, ("--bundle", "nothing"), "no such bundle"),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], code: int, arguments: tuple[str, ...], said: str
) -> None:
    assert said in mistake(capsys, code, "serve-detector", *arguments)


@pytest.mark.parametrize(("missing", "more"), [("zmq", ()), ("uvicorn", ("--http", "127.0.0.1:0"))])
def test_missing_packages_are_named(missing: str, more: tuple[str, ...]) -> None:
    code, _, errors = edgeagent("serve-detector", "--bundle", QUICK_NAME, *more, without=missing)
    assert code == 2
    assert "pip install 'edgeagent[serve]'" in errors


def test_the_configuration_needs_no_package_and_starts_nothing() -> None:
    code, out, errors = edgeagent(
        "serve-detector", "--bundle", QUICK_NAME, "--frigate-config", without="zmq,starlette,onnxruntime"
    )
    assert (code, errors) == (0, "")
    read = yaml.safe_load(out)
    assert read["detectors"]["edgeagent"]["endpoint"] == "tcp://127.0.0.1:5555"
    assert read["model"]["labelmap"][0] == "person"


def test_the_label_map_is_written_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "config" / "edgeagent"
    assert main(["serve-detector", "--bundle", QUICK_NAME, "--frigate-config", str(folder)]) == 0
    assert "labelmap_path: /config/edgeagent/labelmap.txt" in capsys.readouterr().out
    assert (folder / "labelmap.txt").read_text(encoding="utf-8").startswith("0 person\n1 bicycle\n")


def test_every_included_bundle_can_be_configured(capsys: pytest.CaptureFixture[str]) -> None:
    for name in included_bundles():
        assert main(["serve-detector", "--bundle", name, "--frigate-config"]) == 0
        assert f"path: /config/edgeagent/{name} " in capsys.readouterr().out
