"""A device with a delivered model whose state folder or trust cannot be used, at its start and later.

The state lies on a small disk of the daemon's own mount namespace, which the test fills, or mounts read-only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from paho.mqtt import publish

from edgeagent.bundle.reading import MANIFEST, open_bundle
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.files.resources import default_bundle, sample_clip
from edgeagent.settings.sections.delivery import DeliverySettings
from edgeagent.telemetry.contract.messages import ROOT
from tests.broker import Mosquitto
from tests.daemon.running import Consumer, Daemon, running
from tests.delivery.models import offer, sound
from tests.delivery.signed_repository import Repository, in_days
from tests.engines.test_verified_loading import flip_a_bit

DISK = (
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"),
    'mount -t tmpfs -o size=48m tmpfs "$0"; cp -a "$1"/. "$0"; eval "$2"; shift 2; exec "$@"',
)
FILL = 'dd if=/dev/zero of="$0/filler" bs=4096 2> /dev/null || true'
FIRST = open_bundle(default_bundle()).manifest.version
KEPT = ("timestamp.json", "snapshot.json", "targets.json", "stable.json", "index/stable.json")


class Board:
    """A device on which version 2.0.0 is good.

    Attributes:
        state: state folder; what the daemon sees there is a copy of ``prepared``.
        root: trusted root of its configuration.
        repository: that it follows.
    """

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder, self._broker = folder, broker
        self.state, self.prepared, self.root = folder / "state", folder / "prepared", folder / "root.json"
        self.state.mkdir()
        self.repository = repository = Repository(folder / "repository")
        bundle = sound(folder / "sound", "2.0.0")
        release = offer(repository, bundle)
        self._trusted = repository.trusted.read_bytes()
        self.root.write_bytes(self._trusted)
        self._delivery = {"repository": str(repository.folder), "root": str(self.root), "check_every": "1s"}
        store = Store(self.prepared / "delivery")
        Client(DeliverySettings.model_validate(self._delivery), store.folder / "metadata").refresh()
        model = installed(release)
        shutil.copytree(bundle.directory, store.slots.partial(model), dirs_exist_ok=True)
        store.slots.seal(model, [name for name in release.files if name != MANIFEST])
        store.begin(model, "channel")
        for state in ("verifying", "staged", "gating", "trial", "good"):
            store.move(state)
        store.close()

    def settings(self) -> dict[str, Any]:
        """Its configuration."""
        return {
            "device": "board",
            "state": str(self.state),
            "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
            "model": {"engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {"interval": "1s"},
            "mqtt": {"host": "127.0.0.1", "port": self._broker.port, "commands": True},
            "accuracy": {"golden_every": None, "drift": False},
            "delivery": self._delivery,
        }

    def launcher(self, fault: str) -> tuple[str, ...]:
        """Start the daemon on its small disk, after a fault."""
        if subprocess.run([*DISK, str(self.state), str(self.prepared), "", "true"], check=False).returncode:
            pytest.skip("this machine gives no user namespace in which a small disk can be mounted")
        return (*DISK, str(self.state), str(self.prepared), fault)

    def seen(self, daemon: Daemon) -> Path:
        """The state folder as the daemon sees it."""
        return Path(f"/proc/{daemon.process.pid}/root{self.state}")

    def mount(self, daemon: Daemon, options: str) -> None:
        """Mount its disk again."""
        enter = [
            "nsenter",
            "--target",
            str(daemon.process.pid),
            "--user",
            "--mount",
            "--preserve-credentials",
        ]
        subprocess.run([*enter, "mount", "-o", f"remount,{options}", str(self.state)], check=True)

    def fill(self, daemon: Daemon) -> None:
        """Fill its disk."""
        path = self.seen(daemon) / "filler"
        with path.open("ab", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(4096))

    def trust_again(self) -> None:
        """Put the trusted root back."""
        self.root.write_bytes(self._trusted)


@pytest.fixture
def board(tmp_path: Path) -> Any:
    with Mosquitto(tmp_path) as broker:
        yield Board(tmp_path, broker), broker


def codes(message: Any) -> list[str]:
    return [problem["code"] for problem in message["problems"]]


def kill_worker(daemon: Daemon, consumer: Consumer) -> None:
    """Kill the worker, and wait until another one has been reported."""
    before = len(consumer.payloads("events/delegate"))
    for child in psutil.Process(daemon.process.pid).children():
        if "edgeagent.worker.process" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)
    consumer.wait_for("events/delegate", lambda m: len(consumer.payloads("events/delegate")) > before)


FAULTS: dict[str, tuple[str, Callable[[Board, Daemon], object], Callable[[Board, Daemon], object]]] = {
    "read-only": (
        'mount -o remount,ro "$0"',
        lambda board, daemon: board.mount(daemon, "ro"),
        lambda board, daemon: board.mount(daemon, "rw"),
    ),
    "full": (FILL, Board.fill, lambda board, daemon: (board.seen(daemon) / "filler").unlink()),
    "root missing": (
        "",
        lambda board, daemon: board.root.unlink(),
        lambda board, daemon: board.trust_again(),
    ),
    "root damaged": (
        "",
        lambda board, daemon: board.root.write_bytes(b"\0" * 400),
        lambda board, daemon: board.trust_again(),
    ),
}
"""What the launcher does before the start, what the test does while the daemon runs, and how it is mended."""


@pytest.mark.parametrize("fault", FAULTS)
def test_the_good_model_serves_whatever_happens_to_state_and_trust(
    board: tuple[Board, Mosquitto], fault: str
) -> None:
    device, broker = board
    at_start, breaks, mends = FAULTS[fault]
    if fault.startswith("root"):
        breaks(device, None)  # type: ignore[arg-type]
    with (
        Consumer(broker.port, "board") as consumer,
        running(device.folder, device.settings(), device.launcher(at_start)) as daemon,
    ):
        daemon.wait_until_detecting()
        consumer.wait_for("info", lambda m: m["bundle"]["version"] == "2.0.0")
        consumer.wait_for("alarm", lambda m: "delivery_unavailable" in codes(m))
        mends(device, daemon)
        seen = len(consumer.payloads("alarm"))
        consumer.wait_for("alarm", lambda m: not m["problems"] and len(consumer.payloads("alarm")) > seen)
        seen = len(consumer.payloads("deployment"))
        breaks(device, daemon)
        consumer.wait_for(
            "deployment", lambda m: m.get("waiting") and len(consumer.payloads("deployment")) > seen
        )
        kill_worker(daemon, consumer)
        frames = len(consumer.payloads("telemetry"))
        consumer.wait_for("telemetry", lambda m: len(consumer.payloads("telemetry")) > frames + 1)
        assert daemon.stop() == 0, daemon.log()
        assert "Traceback" not in daemon.log()


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_the_good_model_serves_without_the_kept_metadata(board: tuple[Board, Mosquitto], fault: str) -> None:
    """They are fetched again, so there is no alarm."""
    device, broker = board
    metadata = device.prepared / "delivery" / "metadata"
    if fault == "missing":
        shutil.rmtree(metadata)
    else:
        for path in (metadata / name for name in KEPT):
            path.write_bytes(b"\0" * path.stat().st_size)
    with (
        Consumer(broker.port, "board") as consumer,
        running(device.folder, device.settings(), device.launcher("")) as daemon,
    ):
        daemon.wait_until_detecting()
        consumer.wait_for("info", lambda m: m["bundle"]["version"] == "2.0.0")
        consumer.wait_for("deployment", lambda m: "is the newest" in m.get("waiting", ""))
        assert daemon.stop() == 0, daemon.log()
        assert "Traceback" not in daemon.log()


def test_a_flipped_bit_of_the_serving_model_is_not_loaded(board: tuple[Board, Mosquitto]) -> None:
    """The slot is put aside, and the good model before serves: here the bundle of the configuration."""
    device, broker = board
    shutil.rmtree(device.folder / "repository")
    with (
        Consumer(broker.port, "board") as consumer,
        running(device.folder, device.settings(), device.launcher("")) as daemon,
    ):
        daemon.wait_until_detecting()
        consumer.wait_for("info", lambda m: m["bundle"]["version"] == "2.0.0")
        folder = device.seen(daemon) / "delivery"
        (model,) = (folder / "slots").glob("*/model.onnx")
        flip_a_bit(model)
        kill_worker(daemon, consumer)
        consumer.wait_for("info", lambda m: m["bundle"]["version"] == FIRST)
        consumer.wait_for("alarm", lambda m: codes(m) == ["rolled_back"] and "serving" in m)
        deployment = consumer.wait_for("deployment", lambda m: m["state"] == "rolled_back")
        assert "its slot was damaged" in deployment["reason"]
        assert deployment["bad"] == []
        assert (folder / "damaged" / model.parent.name).is_dir()
        assert daemon.stop() == 0, daemon.log()
        assert "Traceback" not in daemon.log()


def test_an_expired_repository_is_an_alarm_a_reason_and_an_exit_code(board: tuple[Board, Mosquitto]) -> None:
    device, broker = board
    repository = device.repository
    with (
        Consumer(broker.port, "board") as consumer,
        running(device.folder, device.settings(), device.launcher("")) as daemon,
    ):
        daemon.wait_until_detecting()
        consumer.wait_for("deployment", lambda m: "is the newest" in m.get("waiting", ""))
        repository.targets.signed.expires = in_days(2)
        repository.publish("targets")
        soon = consumer.wait_for("alarm", lambda m: codes(m) == ["repository_expires"])
        assert "targets.json of the repository expires at " in soon["problems"][0]["text"]
        repository.timestamp.signed.expires = in_days(-1)
        repository.publish()
        consumer.wait_for("alarm", lambda m: any("is expired" in one["text"] for one in m["problems"]))
        consumer.wait_for("deployment", lambda m: "is expired" in m.get("waiting", ""))
        publish.single(f"{ROOT}/board/cmd", b'{"request_id": "a", "command": "status"}', 1, port=broker.port)
        assert "is expired" in consumer.wait_for("reply", lambda m: m["request_id"] == "a")["result"]
        status = [sys.executable, "-m", "edgeagent", "status", "--state", str(device.seen(daemon))]
        shown = subprocess.run(status, capture_output=True, text=True, check=False)
        assert shown.returncode == 1, shown.stderr
        assert "alarm       repository_expires: " in shown.stdout
        assert daemon.stop() == 0, daemon.log()
