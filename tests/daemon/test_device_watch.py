"""Watching the trees of boards: by hand, and by the thread that does it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgeagent.daemon.device_watch import DeviceWatch, WatchCallbacks
from edgeagent.daemon.rate_controller import Decision
from edgeagent.daemon.sensor_report import sensor_fields
from edgeagent.settings.sections.adaptive import AdaptiveSettings
from edgeagent.settings.sections.power import PowerSettings
from tests.sensors.test_battery_power import add_supply
from tests.sensors.test_power import HWMON, damage_file
from tests.sensors.tree import unpack

PATIENCE = 60.0
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


class Board:
    """The tree of a board, watched, and what was told of it."""

    def __init__(self, root: Path, power: PowerSettings | None = None) -> None:
        self.root, self.inferences = root, 0
        self.decisions: list[Decision] = []
        self.problems: list[tuple[str, bool]] = []
        callbacks = WatchCallbacks(
            self.decisions.append, lambda code, text: self.problems.append((code, text is not None))
        )
        self.watch = DeviceWatch(power or PowerSettings(), AdaptiveSettings(), self._count, callbacks, root)

    def _count(self) -> int:
        self.inferences += 40
        return self.inferences

    def check(self) -> None:
        """A sample and a check."""
        self.watch.sample()
        self.watch.check()


def test_power_becomes_energy(tmp_path: Path) -> None:
    board = Board(unpack("jetson-thor", tmp_path), PowerSettings(idle_w=4.0))
    for _ in range(3):
        board.watch.sample()
    seen = board.watch.take()
    assert seen.power is not None
    assert seen.power.watts == pytest.approx(35.4378)
    assert seen.energy is not None
    assert seen.energy.joules == pytest.approx(35.4378 * seen.energy.covered_s)
    assert seen.energy.uncovered_s == 0.0
    parts = seen.energy.per_inference
    assert parts is not None
    assert (parts.inferences, parts.idle) == (120, "declared")
    assert parts.value_j == pytest.approx((35.4378 - 4.0) * seen.energy.covered_s / 120)
    assert board.watch.take().energy is None  # nothing since then


def test_the_declared_power_of_a_board_is_no_baseline_of_its_module(tmp_path: Path) -> None:
    board = Board(unpack("jetson-orin-nano", tmp_path), PowerSettings(idle_w=4.0))
    for _ in range(3):
        board.watch.sample()
    energy = board.watch.take().energy
    assert energy is not None
    assert (energy.source, energy.quality) == ("INA3221 VDD_IN", "module")
    assert energy.joules == pytest.approx(9.250304 * energy.covered_s)
    assert energy.per_inference is None


def test_what_a_failing_sensor_leaves_is_uncovered_time(tmp_path: Path) -> None:
    root = unpack("jetson-nano", tmp_path)
    board = Board(root)
    board.watch.sample()
    for channel in range(3):
        damage_file(root / f"sys/bus/i2c/devices/6-0040/iio:device0/in_power{channel}_input", "unreadable")
    board.watch.sample()
    seen = board.watch.take()
    assert seen.power is None
    assert seen.energy is not None
    assert seen.energy.uncovered_s > 0


def test_another_source_does_not_go_on_with_the_energy_of_the_last(tmp_path: Path) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    board = Board(root)
    board.watch.sample()
    damage_file(root / HWMON / "curr1_input", "unreadable")
    board.watch.sample()
    board.watch.sample()
    energy = board.watch.take().energy
    assert energy is not None
    assert (energy.source, energy.quality) == ("INA3221 VDD_CPU_GPU_CV + VDD_SOC", "measured rail")
    assert energy.joules == pytest.approx((4.992 * 0.488 + 4.992 * 0.464) * energy.covered_s)


def test_a_hot_board_gets_fewer_frames(tmp_path: Path) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    board = Board(root)
    board.check()
    assert board.decisions == []
    (root / "sys/class/thermal/thermal_zone0/temp").write_text("95000\n", encoding="ascii")
    board.check()
    (decision,) = board.decisions
    assert decision.from_fps is None
    assert decision.to_fps is not None
    assert decision.reasons == ("temperature",)
    assert board.watch.take().limit_fps == decision.to_fps


@pytest.mark.parametrize(("budget", "count"), [(9.0, 1), (9.5, 0)])
def test_a_power_budget(tmp_path: Path, budget: float, count: int) -> None:
    board = Board(unpack("jetson-orin-nano", tmp_path), PowerSettings(budget_w=budget))
    board.check()
    assert [decision.reasons for decision in board.decisions] == [("power_budget",)] * count


def test_of_a_pi_5_the_estimate_of_the_board_counts_against_the_budget(tmp_path: Path) -> None:
    board = Board(unpack("raspberry-pi-5", tmp_path), PowerSettings(budget_w=11.5))
    board.watch.sample()
    power = board.watch.take().power
    assert power is not None
    assert power.watts < 11.5 < (power.estimated_input_w or 0.0)
    board.watch.check()
    assert [decision.reasons for decision in board.decisions] == [("power_budget",)]


@pytest.mark.parametrize(
    ("status", "capacity", "count"), [("Discharging", 12, 1), ("Discharging", 20, 0), ("Charging", 12, 0)]
)
def test_a_low_battery_matters_while_the_board_runs_on_it(
    tmp_path: Path, status: str, capacity: int, count: int
) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    add_supply(root, "BAT0", type="Battery", status=status, capacity=capacity)
    board = Board(root)
    board.check()
    assert [decision.reasons for decision in board.decisions] == [("battery",)] * count


def test_trouble_is_told_once_and_when_it_is_over(tmp_path: Path) -> None:
    root = unpack("raspberry-pi-4", tmp_path)
    board = Board(root)
    board.check()
    board.check()
    assert board.problems == [("throttled", True), ("under_voltage", True)]
    (root / FIRMWARE).write_text("50004\n", encoding="ascii")
    board.check()
    assert board.problems[2:] == [("under_voltage", False)]
    (root / FIRMWARE).write_text("50000\n", encoding="ascii")
    board.check()
    assert board.problems[3:] == [("throttled", False)]


def test_over_current_is_of_the_interval(tmp_path: Path) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    board = Board(root)
    (root / "sys/class/hwmon/hwmon3/oc1_event_cnt").write_text("4\n", encoding="ascii")
    assert board.watch.take().over_current["under_voltage"] == 3
    assert board.watch.take().over_current["under_voltage"] == 0


def test_the_thread_samples_and_stops(tmp_path: Path) -> None:
    board, sampled = Board(unpack("jetson-orin-nano", tmp_path)), threading.Event()
    count = board._count

    def counted() -> int:
        sampled.set()
        return count()

    board.watch = DeviceWatch(PowerSettings(), AdaptiveSettings(), counted, root=board.root)
    sampled.clear()
    board.watch.start()
    try:
        assert sampled.wait(PATIENCE)
    finally:
        board.watch.stop()
    assert "device-watch" not in {thread.name for thread in threading.enumerate()}


def test_a_watch_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    before = threading.active_count()
    Board(tmp_path).watch.stop()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("board", "present"),
    [
        (
            "jetson-orin-nano",
            {"power", "over_current", "cpu_frequency_mhz", "gpu_percent", "gpu_frequency_mhz"},
        ),
        ("raspberry-pi-5", {"power", "throttled", "cpu_frequency_mhz"}),
        ("raspberry-pi-4", {"throttled", "cpu_frequency_mhz"}),
        ("coral-pcie", {"accelerators"}),
        ("jetson-agx-orin", {"power"}),
        ("x86-rapl", {"cpu_frequency_mhz"}),
    ],
)
def test_what_a_board_does_not_have_is_not_published(tmp_path: Path, board: str, present: set[str]) -> None:
    fields = sensor_fields(Board(unpack(board, tmp_path)).watch.take(), 0.0)
    absent = {name for name, value in fields.items() if value is None}
    assert set(fields) - absent - {"temperatures_c"} == present


def test_what_is_published_of_a_coral_and_a_pi(tmp_path: Path) -> None:
    root = unpack("coral-pcie", unpack("raspberry-pi-4", tmp_path))
    fields = sensor_fields(Board(root).watch.take(), 0.0)
    assert fields["accelerators"] is not None
    assert fields["accelerators"]["apex_0"].model_dump() == {
        "temperature_c": 48.3,
        "trip_points_c": (84.8, 89.8, 94.8),
        "status": "ALIVE",
    }
    assert fields["throttled"] is not None
    assert fields["throttled"].model_dump() == {
        "now": ("under_voltage", "throttled"),
        "since_boot": ("under_voltage", "throttled"),
    }


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (
            Decision(None, 11.25, ("temperature", "power_budget")),
            "at most 11.2 frames/s (temperature, power budget)",
        ),
        (Decision(11.25, None, ()), "no limit (recovered)"),
    ],
)
def test_a_decision_for_people(decision: Decision, text: str) -> None:
    assert decision.describe() == text


def test_a_decision_for_programs() -> None:
    fall = Decision(15.0, 11.25, ("temperature", "power_budget"))
    assert fall.data() == {
        "reasons": "temperature, power_budget",
        "from_fps": 15.0,
        "to_fps": 11.25,
    }
    assert Decision(11.25, None, ()).data() == {"reasons": "", "from_fps": 11.25}
