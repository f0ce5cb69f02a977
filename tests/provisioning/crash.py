"""Kills an application of a provisioning file at every durable step, and examines what is left.

``python -m tests.provisioning.crash --seeds N`` tries every step of every scenario by SIGKILL once and by N
power cuts. Afterwards the configuration is the old one or the whole new one, a new one has all its files, an
old one has its provisioning file still, and the same and another file can be applied.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.resources import included_configuration
from edgeagent.provisioning import applying
from edgeagent.provisioning.applying import BEFORE, CONFIGURATION, ApplyOptions, apply_provision, is_applied
from edgeagent.provisioning.checks import check_configuration
from edgeagent.provisioning.document import FOLDER, read_provision
from edgeagent.provisioning.owned_files import Ownership
from edgeagent.provisioning.record import ProvisioningRecord, read_provisioning_record
from edgeagent.provisioning.sources import FoundProvision
from tests.delivery.crash.children import KILLED, in_child, why
from tests.delivery.crash.faults import FaultyDisk, Plan
from tests.provisioning.desk import made, stick

SCENARIOS = ("first", "again", "edited", "same")
EDITED = "device: edited\ncameras: [{name: door, source: 0}]\n"
Sabotage = Callable[[], None]


@dataclass(frozen=True)
class CrashPoint:
    """Where an application dies."""

    scenario: str
    plan: Plan


def no_fsync() -> None:
    """Write files without fsync."""

    def stage(self: Ownership, path: Path, content: bytes) -> None:
        path.write_bytes(content)

    Ownership.stage = stage  # type: ignore[method-assign]


def source_removed_first() -> None:
    """Remove the provisioning file before the switch."""
    real = applying._apply

    def early(found: FoundProvision, folder: Path, options: ApplyOptions) -> bool:
        found.path.unlink()
        return real(found, folder, options)

    applying._apply = early


def not_recorded_before() -> None:
    """Write the record after the switch only."""
    real: Callable[..., None] = vars(applying)["write_provisioning_record"]

    def late(folder: Path, record: ProvisioningRecord, ownership: Ownership) -> None:
        if record.applying is None:
            real(folder, record, ownership)

    vars(applying)["write_provisioning_record"] = late


def files_of_the_old_removed_first() -> None:
    """Remove the folder of the old files before the switch."""
    real = applying._stage

    def stage(provision: object, folder: Path, ownership: Ownership) -> None:
        for old in (folder / FOLDER).glob("[0-9a-f]*"):
            shutil.rmtree(old)
        real(provision, folder, ownership)  # type: ignore[arg-type]

    applying._stage = stage


SABOTAGES = (no_fsync, source_removed_first, not_recorded_before, files_of_the_old_removed_first)


class ProvisioningCampaign:
    """Applications that die, from copies of a prepared board.

    Args:
        folder: to work in.

    Attributes:
        steps: durable steps of each scenario.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, 0
        desk = folder / "desk"
        desk.mkdir(parents=True)
        header = "device,cameras,username,password"
        rows = [f"gate-{n},0,u,p{n}" for n in range(3)]
        self._stick = stick(folder / "stick", made(desk, *rows, header=header, broker="b"))
        self.steps = {scenario: self._count(scenario) for scenario in SCENARIOS}

    def points(self, seeds: int) -> Iterator[CrashPoint]:
        """Yield every step of every scenario: one SIGKILL, and power cuts with so many seeds."""
        for scenario, steps in self.steps.items():
            for step in range(1, len(steps) + 1):
                yield CrashPoint(scenario, Plan(step))
                for seed in range(seeds):
                    yield CrashPoint(scenario, Plan(step, "power", seed))

    def try_point(self, point: CrashPoint, sabotage: Sabotage | None = None) -> str | None:
        """Let one application die; return what is wrong afterwards, or None."""
        board = self._fresh(point.scenario)
        try:
            code = in_child(board, _apply_dying, board, point.plan, sabotage)
            if code != KILLED:
                return f"it did not die: {code} {why(board)}"
            examine(board, point.scenario)
        except (AssertionError, EdgeagentError, OSError):
            return f"after it: {traceback.format_exc()}"
        finally:
            shutil.rmtree(board)
        return None

    def quick_points(self) -> list[CrashPoint]:
        """Return every step of every scenario once: by SIGKILL and by a power cut in turns."""
        return [
            point for point in self.points(1) if (point.plan.step % 2 == 0) == (point.plan.how == "power")
        ]

    def notices(self, sabotage: Sabotage) -> bool:
        """Return whether any point fails when the program is broken."""
        return any(self.try_point(point, sabotage) is not None for point in self.points(2))

    def _fresh(self, scenario: str) -> Path:
        self._number += 1
        board = self._folder / f"board-{self._number}"
        etc = board / "disk" / "etc"
        shutil.copytree(self._stick, board / "disk" / "stick")
        etc.mkdir(parents=True)
        shutil.copyfile(included_configuration(), etc / CONFIGURATION)
        if scenario != "first":
            _apply_file(board, 1 if scenario == "same" else 0)
            shutil.copyfile(self._stick / "gate-1.edgeagent", board / "disk" / "stick" / "gate-1.edgeagent")
        if scenario == "edited":
            (etc / CONFIGURATION).write_text(EDITED, encoding="ascii")
        shutil.copyfile(etc / CONFIGURATION, board / "old.yaml")
        return board

    def _count(self, scenario: str) -> list[str]:
        board = self._fresh(scenario)
        code = in_child(board, _apply_dying, board, Plan(0), None)
        if code:
            raise RuntimeError(f"an application without a fault ended with {code}: {why(board)}")
        return (board / "steps").read_text().splitlines()


def _apply_file(board: Path, number: int, *, replace: bool = False) -> None:
    path = board / "disk" / "stick" / f"gate-{number}.edgeagent"
    apply_provision(FoundProvision(path, read_provision(path)), board / "disk" / "etc", ApplyOptions(replace))


def _apply_dying(board: Path, plan: Plan, sabotage: Sabotage | None) -> None:
    disk = FaultyDisk(board / "disk", board / "shadow", plan)
    if sabotage is not None:
        sabotage()
    disk.install()
    _apply_file(board, 1, replace=True)
    (board / "steps").write_text("\n".join(disk.steps))


def examine(board: Path, scenario: str) -> None:
    """Check the board after a death, apply the file again, and then another one.

    Raises:
        AssertionError: an invariant does not hold.
    """
    etc, source = board / "disk" / "etc", board / "disk" / "stick" / "gate-1.edgeagent"
    configuration = etc / CONFIGURATION
    content = configuration.read_bytes()
    is_old = content == (board / "old.yaml").read_bytes() and scenario != "same"
    if is_old:
        assert source.exists(), "the old configuration, and the provisioning file is gone"
    else:
        assert b"device: gate-1" in content, "neither the old configuration nor the new one"
    check_configuration(configuration)
    if source.exists():
        provision = read_provision(source)
        assert is_old or is_applied(provision, etc), "the new configuration without all its files"
        _apply_file(board, 1, replace=is_old and scenario == "edited")
        assert is_applied(provision, etc)
        record = read_provisioning_record(etc)
        assert record.applied is not None
        assert record.applied.id == provision.id
        assert record.applying is None
    assert not source.exists()
    if scenario == "edited" and not is_old:
        assert (etc / BEFORE).read_text(encoding="ascii") == EDITED
    _apply_file(board, 2)  # not taken for one that was edited by hand
    check_configuration(configuration)
    left = {path.name for path in etc.iterdir()} - {CONFIGURATION, FOLDER, BEFORE}
    assert not left, left
    assert len([path for path in (etc / FOLDER).iterdir() if path.is_dir()]) == 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the whole campaign and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="power cuts at each step")
    seeds = parser.parse_args(arguments).seeds
    with tempfile.TemporaryDirectory(prefix="edgeagent-crash-") as folder:
        campaign = ProvisioningCampaign(Path(folder))
        points = list(campaign.points(seeds))
        failures = [(point, text) for point in points if (text := campaign.try_point(point))]
        for point, text in failures:
            step = campaign.steps[point.scenario][point.plan.step - 1]
            sys.stdout.write(f"FAILED {point} ({step})\n  {text}\n")
        steps = ", ".join(f"{len(steps)} steps of {name}" for name, steps in campaign.steps.items())
        sys.stdout.write(f"provisioning: {steps}; {len(points)} points; {len(failures)} failures\n")
        noticed = [sabotage.__name__ for sabotage in SABOTAGES if campaign.notices(sabotage)]
        sys.stdout.write(
            f"{len(noticed)} of {len(SABOTAGES)} ways to break the program are noticed: {noticed}\n"
        )
    return 1 if failures or len(noticed) < len(SABOTAGES) else 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
