"""What must be true after a crash, whenever it came."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection

from edgeagent.bundle.reading import open_bundle
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.check_report import CHECK_REPORT
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.record_file import RECORD
from edgeagent.delivery.state.store import FOLDER, Store
from edgeagent.errors import DeliveryError
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.crash.device import STRIKES, Site
from tests.delivery.runners import run_once


class WrongStateError(Exception):
    """A crash has left something that it must not."""


def examine(site: Site, good: Collection[str], wanted: Release) -> None:
    """Start on what a crash has left, without any fault.

    Args:
        site: of the device.
        good: versions that were good before; one of them, or what has come further, must serve.
        wanted: that the device was moving to.

    Raises:
        WrongStateError: something is not as it must be.
    """
    logging.disable()
    witnessed = site.witnessed()
    folder = site.state / FOLDER
    _examine_lost_record(site, good, witnessed)
    _examine_without_disk_and_trust(site, good, witnessed)
    store = Store(folder)
    _check(store.rebuilt is None, f"the record is lost: {store.rebuilt}")
    before = store.record
    bundle = store.to_serve(STRIKES)
    _check(not (folder / "damaged").exists(), "a sealed slot was torn")
    serves = bundle.manifest.version if bundle else None
    _check(serves is not None or not good, "the good model does not serve any more")
    _check(
        serves in good or serves is None or f"gated {serves}" in witnessed, f"{serves} never passed a gate"
    )
    run_once(bundle or open_bundle(site.configured))
    _examine_slots(store, before)
    kept = {model.version for model in (store.record.current, store.record.previous) if model}
    _check(set(good) <= kept, f"of the good models {sorted(good)} only {sorted(kept)} are remembered")
    if f"serving {wanted.version}" in witnessed:
        state = before.deployment.state if before.deployment else None
        _check(state in ("trial", "good"), f"it served, but the record says {state}")
    store.close()


def _examine_slots(store: Store, record: Record) -> None:
    """Every slot verifies, and every one that the record counts on is there."""
    folder = store.folder / "slots"
    sealed = {model.slot for model in store.slots.installed()}
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    _check(there == sealed, f"slots without a seal: {there - sealed}")
    for one in store.slots.installed():
        store.slots.open(one)
    counted = [record.current, record.previous]
    if record.deployment and record.deployment.state in ("staged", "gating", "trial", "good"):
        counted.append(record.deployment.model)
    for model in counted:
        _check(
            model is None or model.slot in sealed,
            f"the record counts on the slot {model}, which is not there",
        )


def _examine_lost_record(site: Site, good: Collection[str], witnessed: Collection[str]) -> None:
    """Without its record a device chooses a model that was good, and none that was not."""
    copy = site.folder / "copy"
    if (site.state / FOLDER).exists():
        shutil.copytree(site.state / FOLDER, copy, symlinks=True)
    else:
        copy.mkdir()
    (copy / RECORD).unlink(missing_ok=True)
    store = Store(copy)
    chosen = store.record.current.version if store.record.current else None
    _check(chosen is not None or not good, "without its record the device does not find its good model")
    passed = chosen is None or chosen in good or f"passed {chosen}" in witnessed
    _check(passed, f"without its record the device chooses {chosen}, which was never good")
    store.close()
    shutil.rmtree(copy)


def _examine_without_disk_and_trust(site: Site, good: Collection[str], witnessed: Collection[str]) -> None:
    """On a disk that cannot be written, and without the trusted root, a good model serves."""
    copy = site.folder / "copy"
    if not (site.state / FOLDER).exists():
        return  # nothing was delivered, nor can be
    shutil.copytree(site.state / FOLDER, copy, symlinks=True)
    for blocked in (RECORD, CHECK_REPORT, "commands.json"):
        new = copy / f"{blocked}.new"
        new.unlink(missing_ok=True)
        new.mkdir()  # no write of it succeeds
    store = Store(copy)
    bundle = store.to_serve(STRIKES)
    serves = bundle.manifest.version if bundle else None
    _check(serves is not None or not good, "without a disk that can be written the good model does not serve")
    passed = serves is None or serves in good or f"passed {serves}" in witnessed
    _check(passed, f"without a disk that can be written {serves} serves, which was never good")
    root = site.folder / "absent.json"
    for content in (None, b"damaged"):
        if content is not None:
            root.write_bytes(content)
        try:
            Client(DeliverySettings(repository=str(copy), root=root), store.folder / "metadata").known()
        except DeliveryError:
            pass
        except Exception as error:
            raise WrongStateError(f"a root {content!r} is no typed error, but {error!r}") from error
    root.unlink()
    store.close()
    shutil.rmtree(copy)


def _check(right: bool, what: str) -> None:
    if not right:
        raise WrongStateError(what)
