"""Model that serves first after a start of the agent, from the state folder; the network is not needed.

::

    model on trial -> last good model -> bundle of the configuration    the next where one does not start
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.configured_bundle import configured_bundle
from edgeagent.delivery.state.store import FOLDER, Store
from edgeagent.detection.exchange import ModelExchange
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.files.folder_lock import LockedError
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder

logger = logging.getLogger(__name__)

StartModel = Callable[[Bundle], ModelExchange]


@dataclass(frozen=True)
class OpenedStore:
    """Deployment record of a device, as far as it could be opened.

    Attributes:
        store: the record; None without one.
        problem: why the state folder cannot be used; None if it can, or without ``delivery``.
    """

    store: Store | None = None
    problem: str | None = None


def open_store(settings: Settings) -> OpenedStore:
    """Return the deployment record of this device, and lock it.

    Returns:
        No store where the settings have no ``delivery``, or where the state folder cannot be used.

    Raises:
        LockedError: another agent uses the state folder.
    """
    if settings.delivery is None:
        return OpenedStore()
    try:
        return OpenedStore(Store(state_folder(settings) / FOLDER))
    except LockedError:
        raise
    except DeliveryError as error:
        return OpenedStore(
            problem=f"{error}; no models are delivered until the next start, and the configured bundle serves"
        )


def serve_first(settings: Settings, store: Store | None, start: StartModel) -> ModelExchange:
    """Start the first model that can be started; a model on trial that cannot is rolled back.

    Args:
        settings: settings of the agent.
        store: deployment record; None without delivery.
        start: starts a bundle.

    Raises:
        EdgeagentError: not even the configured bundle can be started.
    """
    if store is None or settings.delivery is None:
        return start(configured_bundle(settings))
    bundle = store.to_serve(settings.delivery.probation.strikes)
    pending = store.pending()
    if bundle is not None and pending is not None and pending.state == "trial":
        try:
            return start(bundle)
        except EdgeagentError as error:
            logger.warning("the model on trial does not start: %s", error)
            _roll_back(store, str(error))
            bundle = store.good()
    if bundle is not None:
        try:
            return start(bundle)
        except EdgeagentError as error:
            logger.error("the good model does not start (%s); the configured bundle serves", error)
    return start(configured_bundle(settings))


def _roll_back(store: Store, error: str) -> None:
    try:
        store.move("rolled_back", f"it does not start: {error}", bad=True)
    except EdgeagentError as why:
        logger.error("%s; the trial is judged again at the next start", why)
        store.trial_serves = False
