"""Steps of a deployment, from the channel to the trial.

::

    fetching    manifest first, then the files that this board can use
    verifying   hashes of all of them; then they are sealed into a slot
    staged      waits until it may serve
    gating      tried on this board, while the current model serves
    trial       serves

Each step may be repeated: after a restart the deployment goes on in the state of the record.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Generic

from edgeagent.bundle.reading import MANIFEST, parse_manifest
from edgeagent.delivery.errors import NoRoomError
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.state.record import Installed
from edgeagent.delivery.update.protocols import DeploymentContext, Passed
from edgeagent.errors import BundleError, DeliveryError, EdgeagentError
from edgeagent.files.hashing import hash_file

logger = logging.getLogger(__name__)

REFUSALS = 3
"""Number of times in a row that a release is damaged on this disk after which it is bad here."""


def installed(release: Release) -> Installed:
    """Return the model of a release, as the record keeps it."""
    return Installed(slot=release.slot, name=release.name, version=release.version, sequence=release.sequence)


class DeploymentSteps(Generic[Passed]):
    """Moves the deployment of a store from state to state.

    Args:
        context: store, source and runner.
        interrupted: asked while fetching: whether to interrupt it for something else.
        progress: called with the fetched share of the bytes, 0..1.
    """

    def __init__(
        self,
        context: DeploymentContext[Passed],
        interrupted: Callable[[], bool],
        progress: Callable[[float], None],
    ) -> None:
        self._store, self._source, self._runner = context.store, context.source, context.runner
        self._interrupted, self._progress = interrupted, progress
        self._passed: Passed | None = None
        self._refusals = 0
        self._fetched, self._all = 0, 1  # bytes of complete files, and of all needed files

    def start_over(self) -> None:
        """Reset for a new deployment."""
        self._passed, self._refusals = None, 0

    def advance(self, release: Release | None) -> str | None:
        """Do the work of the present state, and move to the next.

        Args:
            release: of the deployment, as the channel has it now; None where that is not known.

        Returns:
            Why the deployment waits; None when it advanced.

        Raises:
            CancelledError: fetching was interrupted.
            RefusedError: a fetched file is not the signed one. Whoever stands between publisher and device
                can cause that, so it never makes the release bad: it is fetched again, later and later.
            DeliveryError: the step failed; a later attempt may work.
            EdgeagentError: the record cannot be written.
        """
        deployment = self._store.pending()
        if deployment is None or deployment.state == "trial":
            return None
        if deployment.state == "verifying":
            self._verify(deployment.model)
        elif deployment.state == "gating":
            self._gate(deployment.model)
        elif release is None:
            return f"{deployment.state}; the channel has not been read yet"
        elif deployment.state == "fetching":
            self._fetch(deployment.model, release)
        else:
            return self._stage(release)
        return None

    def _fetch(self, model: Installed, release: Release) -> None:
        if not self._store.slots.has(model):
            folder = self._store.slots.partial(model)
            try:
                for file in self._needed(release, folder):
                    self._source.fetch(release, file, folder / file, self._counted, self._interrupted)
                    self._fetched += release.files[file]
            except BundleError as error:
                self._reject(model, str(error))
                return
        self._store.move("verifying")

    def _needed(self, release: Release, folder: Path) -> list[str]:
        """Fetch the manifest, and return the names of the files that are missing."""
        self._fetched, self._all = 0, sum(release.files.values())
        manifest = folder / MANIFEST
        self._source.fetch(release, MANIFEST, manifest, self._counted, self._interrupted)
        if hash_file(manifest) != release.manifest_sha256:
            raise BundleError(f"{manifest}: is not the manifest that the index of the channel names")
        files = sorted(self._usable(folder) - {MANIFEST})
        absent = [file for file in files if file not in release.files]
        if absent:
            raise BundleError(f"the channel does not offer {', '.join(absent)} of {release.slot}")
        self._fetched = release.files[MANIFEST]
        self._all = self._fetched + sum(release.files[file] for file in files)
        deployment = self._store.pending()
        if deployment is not None and deployment.bytes != self._all:
            self._store.update_deployment(bytes=self._all)
        self._check_room(release, folder, files)
        return files

    def _check_room(self, release: Release, folder: Path, files: Collection[str]) -> None:
        """Refuse to begin a release that the disk cannot hold whole; bytes that are here count."""
        parts = [path for file in files for path in (folder / file, folder / f"{file}.part")]
        here = sum(path.stat().st_size for path in parts if path.exists())
        need = sum(release.files[file] for file in files) - here
        free = shutil.disk_usage(folder).free
        if need > free:
            raise NoRoomError(
                f"{release.name} {release.version} needs {need} more bytes, and the disk has {free}; make "
                "room, or set a smaller delivery.keep"
            )

    def _counted(self, size: int) -> None:
        self._progress(min(1.0, (self._fetched + size) / self._all))

    def _reject(self, model: Installed, reason: str) -> None:
        """Reject a model for good; what was fetched of it is deleted."""
        self._store.move("rejected", reason, bad=True)
        self._store.slots.discard(model)

    def _usable(self, folder: Path) -> set[str]:
        path = folder / MANIFEST
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
        return {MANIFEST, *self._runner.usable_files(parse_manifest(content, str(path)))}

    def _verify(self, model: Installed) -> None:
        slots = self._store.slots
        try:
            if slots.has(model):
                slots.open(model)
            else:
                slots.seal(model, self._usable(slots.partial(model)))
        except BundleError as error:
            if slots.has(model):
                slots.quarantine(model)
            slots.discard(model)
            self._refusals += 1
            if self._refusals >= REFUSALS:
                self._store.move("rejected", str(error), bad=True)
                return
            logger.error("%s; fetching it again", error)
            self._store.move("fetching")
            return
        self._store.move("staged")

    def _stage(self, release: Release) -> str | None:
        hindrance = self._source.serve_hindrance(release)
        if hindrance is None:
            self._store.move("gating")
        return hindrance

    def _gate(self, model: Installed) -> None:
        """Run the gate; the trial begins with the next step, so that a cancel during the gate counts."""
        if self._passed is not None:
            self._begin_trial(self._passed)
            return
        try:
            bundle = self._store.slots.open(model)
        except BundleError as error:
            self._store.slots.quarantine(model)
            self._store.move("rejected", str(error))
            return
        try:
            self._passed = self._runner.gate(bundle)
        except DeliveryError as error:
            self._store.move("rejected", str(error), bad=True)

    def _begin_trial(self, passed: Passed) -> None:
        self._store.move("trial")
        self._passed = None
        try:
            self._runner.serve(passed)
        except EdgeagentError as error:
            self._store.move("rolled_back", str(error), bad=True)
