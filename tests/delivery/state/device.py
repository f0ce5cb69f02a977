"""A state folder that agents start and end on, one after the other."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.delivery.state.record import Installed
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.telemetry.contract.deployment import State
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.delivery.folder_source import Published

STRIKES = 3


WAY: tuple[State, ...] = ("verifying", "staged", "gating", "trial", "good")


class Device:
    """A state folder that agents start and end on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder)

    def crash(self) -> Store:
        """End without a word, and start again."""
        self.store._lock.release()
        self.store = Store(self.folder)
        return self.store

    def restart(self) -> Store:
        """End cleanly, and start again."""
        self.store.close()
        self.store = Store(self.folder)
        return self.store

    def fill(self, published: Published) -> Installed:
        """Seal a release into its slot."""
        model = installed(published.release)
        if not self.store.slots.has(model):
            shutil.copytree(published.folder, self.store.slots.partial(model), dirs_exist_ok=True)
            self.store.slots.seal(model, (MANIFEST, ARTEFACT, PICTURE, OUTPUTS))
        return model

    def bring(self, published: Published, until: State = "good") -> Installed:
        """Deploy a release as far as a state."""
        model = self.fill(published)
        self.store.begin(model, "channel")
        if until != "fetching":
            for state in WAY[: WAY.index(until) + 1]:
                self.store.move(state)
        return model

    def damage(self, model: Installed) -> None:
        """Change a byte of a slot."""
        path = self.folder / "slots" / model.slot / ARTEFACT
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"?")


def version(bundle: Bundle | None) -> str | None:
    return None if bundle is None else bundle.manifest.version
