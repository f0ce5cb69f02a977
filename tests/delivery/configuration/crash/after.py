"""What must be true of configurations after a crash, whenever it came."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection

from edgeagent.delivery.configuration.record import ConfigurationRecord
from edgeagent.delivery.configuration.serving import ServedConfiguration
from edgeagent.delivery.configuration.store import RECORD, ConfigurationStore, read_configuration_record
from tests.delivery.configuration.crash.device import VERSIONS, ConfiguredSite, Scenario
from tests.delivery.crash.after import WrongStateError


def examine_configurations(site: ConfiguredSite, scenario: Scenario, good: Collection[str]) -> None:
    """Start on what a crash has left, without any fault.

    Args:
        site: of the board.
        scenario: in which it was.
        good: versions of which one must serve, or the one on trial.

    Raises:
        WrongStateError: something is not as it must be.
    """
    logging.disable()
    witnessed, wanted = site.witnessed(), VERSIONS[scenario]
    passed = {*good, *(version for version in VERSIONS.values() if f"worked {version}" in witnessed)}
    own = site.own(scenario)
    if not site.configurations.exists():
        _check(not good, "the folder of configurations is gone")
        return
    record = read_configuration_record(site.configurations) or ConfigurationRecord()
    _check(bool(good) <= (record.current is not None), f"no good configuration is remembered: {record}")
    if record.current is not None:
        _check(record.current.version in passed, f"{record.current.version} never passed, and is good")
    if f"serving {wanted}" in witnessed:
        state = record.deployment.state if record.deployment else None
        _check(state in ("trial", "good", "rolled_back"), f"it served, but the record says {state}")
    starts = site.witnessed_times(f"serving {wanted}")
    if record.trial is not None:
        counted = record.trial.starts
        _check(counted >= starts, f"it served on trial {starts} times, and {counted} starts are counted")
    _examine_copies(site, scenario, good, passed)
    store = ConfigurationStore(site.configurations)
    try:
        for one in (record.current, record.previous, record.trial.configuration if record.trial else None):
            if one is not None:
                store.read(one)
        served = ServedConfiguration(own, store)
        on_trial = record.trial.configuration.version if record.trial else None
        _check(served.version is not None or not good, "no good configuration serves any more")
        _check(served.version in (None, on_trial, *passed), f"{served.version} serves, and was never good")
        _check(served.problem is None, f"a good configuration does not serve: {served.problem}")
    finally:
        store.close()


def _examine_copies(
    site: ConfiguredSite, scenario: Scenario, good: Collection[str], passed: Collection[str]
) -> None:
    """Without its record, and on a disk that cannot be written, a board serves what has passed."""
    for fault in ("lost record", "blocked disk"):
        copy = site.folder / "copy"
        shutil.copytree(site.configurations, copy, symlinks=True)
        if fault == "lost record":
            (copy / RECORD).unlink(missing_ok=True)
        else:
            blocked = copy / f"{RECORD}.new"
            blocked.unlink(missing_ok=True)
            blocked.mkdir()
        store = ConfigurationStore(copy)
        served = ServedConfiguration(site.own(scenario), store)
        _check(served.version is not None or not good, f"{fault}: no good configuration serves")
        _check(served.version in (None, *passed), f"{fault}: {served.version} serves, and was never good")
        store.close()
        shutil.rmtree(copy)


def _check(right: bool, what: str) -> None:
    if not right:
        raise WrongStateError(what)
