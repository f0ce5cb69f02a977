"""The program with one of its steps left out or done too early, to see that the harness notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeagent.delivery.state import known_good_models, slots, store
from edgeagent.delivery.state.slots import ModelSlots
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.deployment_decisions import DeploymentDecisions
from edgeagent.delivery.update.deployment_steps import DeploymentSteps
from edgeagent.files import durable
from edgeagent.files.atomic import sync


def record_not_synced() -> None:
    """The record is renamed before its content is on the disk."""

    def write(path: Path, content: bytes, *, shared: bool = False) -> None:
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        new.replace(path)
        sync(path.parent)

    store.write_state = write  # type: ignore[attr-defined]


def folder_of_record_not_synced() -> None:
    """The record is renamed, and its folder is not brought to the disk: the rename may not have happened."""

    def write(path: Path, content: bytes, *, shared: bool = False) -> None:
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        sync(new)
        new.replace(path)

    store.write_state = write  # type: ignore[attr-defined]


def slot_not_synced() -> None:
    """A slot gets its name before its content is on the disk."""
    slots.sync = lambda path: None  # type: ignore[attr-defined]

    def write(path: Path, content: bytes, *, shared: bool = False) -> None:
        path.write_bytes(content)

    slots.write_state = write  # type: ignore[attr-defined]


def rename_of_slot_not_synced() -> None:
    """The record counts on a slot whose name may be lost."""

    def move(source: Path, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        source.rename(target)

    slots.move_folder = move  # type: ignore[attr-defined]


def marked_before_probation() -> None:
    """A model is marked as good when it begins."""
    begin = Store.begin

    def begin_and_mark(self: Store, model: Any, *arguments: Any) -> None:
        begin(self, model, *arguments)
        known_good_models.KnownGoodModels(self.folder).add(model)

    Store.begin = begin_and_mark  # type: ignore[assignment,method-assign]


def served_before_written() -> None:
    """A model serves before the record says that it is on trial."""

    def begin_trial(self: DeploymentSteps[Any], passed: Any) -> None:
        self._runner.serve(passed)
        self._store.move("trial")

    DeploymentSteps._begin_trial = begin_trial  # type: ignore[method-assign]


def good_model_deleted_first() -> None:
    """Room is made by deleting every slot."""

    def prune(self: DeploymentDecisions[Any], most_bytes: int | None = None) -> None:
        self._store.slots.prune((), 0, 0.0)

    DeploymentDecisions.prune = prune  # type: ignore[method-assign]


def sealed_in_place() -> None:
    """A slot is filled under its own name."""
    seal = ModelSlots.seal

    def seal_in_place(self: ModelSlots, model: Any, files: Any) -> Any:
        source, target = self._partial / model.slot, self._slots / model.slot
        durable.move_folder(source, target)
        self._partial, partial = self._slots, self._partial
        slots.move_folder, move = lambda source, target: None, slots.move_folder  # type: ignore[attr-defined]
        try:
            return seal(self, model, files)
        finally:
            self._partial, slots.move_folder = partial, move  # type: ignore[attr-defined]

    ModelSlots.seal = seal_in_place  # type: ignore[method-assign]


SABOTAGES: tuple[Callable[[], None], ...] = (
    record_not_synced,
    folder_of_record_not_synced,
    slot_not_synced,
    rename_of_slot_not_synced,
    marked_before_probation,
    served_before_written,
    good_model_deleted_first,
    sealed_in_place,
)
