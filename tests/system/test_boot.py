"""The service after a boot: with all it needs, and without camera, broker and network."""

from __future__ import annotations

from tests.system.conftest import NewMachine
from tests.system.machine import Machine
from tests.system.service import (
    CLIP,
    SUBSCRIBE,
    TOPIC,
    configure,
    follow,
    message_of,
    show,
    wait_detecting,
)


def assert_up(machine: Machine) -> None:
    """The boot has reached its target, and the service is ready."""
    assert machine.run("systemctl", "is-active", "multi-user.target", "edgeagent.service").split() == [
        "active",
        "active",
    ]


def test_first_telemetry(machine: Machine) -> None:
    configure(machine)
    machine.boot()
    assert_up(machine)
    telemetry = wait_detecting(machine, "after the boot")
    assert telemetry["cameras"]["gate"]["state"] == "running"
    line = machine.wait_for(
        "an alarm message without problems",
        (*SUBSCRIBE, TOPIC + "alarm"),
        lambda line: message_of(line, "alarm").get("problems") == [],
    )
    assert "tflite-xnnpack" in message_of(line, "alarm")["serving"]


def test_boot_without_camera(machine: Machine) -> None:
    configure(machine, camera="/dev/video0")
    machine.boot()
    assert_up(machine)
    machine.wait_for(
        "an alarm that the camera is lost",
        (*SUBSCRIBE, TOPIC + "alarm"),
        lambda line: any(
            problem.get("camera") == "gate" for problem in message_of(line, "alarm").get("problems", ())
        ),
    )
    assert "gate" in show(machine, "StatusText")


def test_a_camera_that_comes_after_the_boot(machine: Machine) -> None:
    configure(machine, camera="/srv/later.mp4")
    machine.boot()
    assert_up(machine)
    machine.copy(CLIP, "/srv/later.mp4")
    wait_detecting(machine, "after the camera has come")


def test_boot_without_broker(machine: Machine) -> None:
    configure(machine)
    machine.link("/etc/systemd/system/mosquitto.service", "/dev/null")
    machine.boot()
    assert_up(machine)
    machine.wait_for(
        "a line of the first frame",
        ("journalctl", "--quiet", "--follow", "--no-tail", "--output=cat", "--unit=edgeagent"),
        lambda line: "first frame of camera gate" in line,
    )
    assert "broker cannot be reached" in show(machine, "StatusText")
    machine.run("systemctl", "unmask", "mosquitto")
    machine.run("rm", "-f", "/etc/systemd/system/mosquitto.service")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "mosquitto")
    wait_detecting(machine, "after the broker has come")


def test_boot_without_network(machine: Machine) -> None:
    configure(machine, broker="broker.example")
    machine.boot()
    assert_up(machine)
    machine.wait_for(
        "a line of the first frame",
        ("journalctl", "--quiet", "--follow", "--no-tail", "--output=cat", "--unit=edgeagent"),
        lambda line: "first frame of camera gate" in line,
    )
    assert "broker cannot be reached" in show(machine, "StatusText")
    assert "broker.example" in machine.journal("--unit=edgeagent", "--priority=warning")


def test_read_only_root(new_machine: NewMachine) -> None:
    machine = new_machine(
        "--read-only", *(f"--tmpfs=/var/{name}" for name in ("lib/edgeagent", "tmp", "log"))
    )
    configure(machine)
    machine.boot()
    assert_up(machine)
    wait_detecting(machine, "on a read-only root")


def test_a_state_disk_that_is_full(new_machine: NewMachine) -> None:
    machine = new_machine("--tmpfs=/var/lib/edgeagent:size=256k,mode=0755")
    configure(machine)
    machine.boot()
    assert_up(machine)
    wait_detecting(machine, "with a small state disk")
    with machine.expecting(
        "a message that the disk is full",
        follow(machine, "--unit=edgeagent", "--priority=warning"),
        lambda line: "full" in line or "No space left" in line,
    ):
        machine.run("sh", "-c", "dd if=/dev/zero of=/var/lib/edgeagent/filler bs=4096 2>/dev/null; true")
    wait_detecting(machine, "on a full state disk")
    machine.run("systemctl", "restart", "edgeagent")
    wait_detecting(machine, "after a start on a full state disk")
