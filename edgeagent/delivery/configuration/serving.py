"""Configuration that serves after a start of the agent, from the state folder; the network is not needed.

::

    on trial, its start counted -> last good one -> good one before -> file of the board alone

A configuration is verified, checked and merged at every start. What cannot be used is left out with an error,
and never stops the agent.
"""

from __future__ import annotations

import logging
import time

from edgeagent.delivery.configuration.applying import (
    AppliedConfiguration,
    UnusableConfigurationError,
    apply,
)
from edgeagent.delivery.configuration.record import ConfigurationDeployment, StoredConfiguration
from edgeagent.delivery.configuration.store import CONFIGURATION, ConfigurationStore
from edgeagent.delivery.state.store import FOLDER
from edgeagent.errors import ConfigurationError, DeliveryError, EdgeagentError
from edgeagent.files.folder_lock import LockedError
from edgeagent.settings.live.layers import LowerLayers
from edgeagent.settings.own_configuration import OwnConfiguration
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.delivery import ConfigurationTrialSettings
from edgeagent.settings.state import state_folder

logger = logging.getLogger(__name__)


class TrialFailedError(EdgeagentError):
    """The agent cannot do with a configuration on trial what it did before."""


class ServedConfiguration:
    """Configuration that serves in this run of the agent.

    Args:
        own: file of the board.
        store: configurations of this device; None without delivery, or where they cannot be kept.
        problem: why signed configurations cannot be used; None where they can.

    Attributes:
        settings: that serve.
        version: of the signed configuration that serves; None where the file of the board serves alone.
        kept: paths of its keys that were not taken, as they are local here.
        trial: deployment on trial, if it serves; None otherwise.
    """

    def __init__(
        self, own: OwnConfiguration, store: ConfigurationStore | None = None, problem: str | None = None
    ) -> None:
        self.own, self.store, self.problem = own, store, problem
        self.settings: Settings = own.settings
        self.version: str | None = None
        self.kept: tuple[str, ...] = ()
        self.trial: ConfigurationDeployment | None = None
        self._stored: StoredConfiguration | None = None
        self._began, self._closed = time.monotonic(), False
        if store is not None:
            self._choose(store)

    @property
    def limits(self) -> ConfigurationTrialSettings:
        """Limits of a trial, of the file of the board."""
        delivery = self.own.settings.delivery
        return ConfigurationTrialSettings() if delivery is None else delivery.configuration

    def apply(self, configuration: StoredConfiguration) -> AppliedConfiguration:
        """Return a stored configuration, applied to the file of the board.

        Raises:
            DeliveryError: it is damaged, or cannot be used here.
        """
        if self.store is None:
            raise DeliveryError("signed configurations are not kept here")
        return apply(self.own, configuration, self.store.read(configuration))

    def serve(self, configuration: StoredConfiguration, applied: AppliedConfiguration) -> None:
        """Take note that a configuration serves."""
        self.version, self.settings, self.kept = configuration.version, applied.settings, applied.kept
        self._stored = configuration

    def base(self, own: OwnConfiguration) -> LowerLayers:
        """Return a file of the board, with the configuration that serves merged into it.

        Raises:
            ConfigurationError: they do not fit together.
        """
        if self._stored is None or self.store is None:
            return LowerLayers(own, own.document.data)
        try:
            applied = apply(own, self._stored, self.store.read(self._stored))
        except DeliveryError as error:
            raise ConfigurationError(str(error)) from None
        return LowerLayers(own, applied.data, applied.keys)

    def not_started(self, reason: str) -> None:
        """Take note that no model can be started.

        Raises:
            TrialFailedError: one could before the trial, and the time of the trial is over.
        """
        before = self.trial.before if self.trial is not None else None
        if before is not None and before.detecting and time.monotonic() - self._began > self.limits.within:
            raise TrialFailedError(f"nothing is detected: {reason}")

    def unjudged(self, reason: str) -> None:
        """Take note that a trial cannot be judged.

        Raises:
            TrialFailedError: there is one.
        """
        if self.trial is not None:
            raise TrialFailedError(reason)

    def failed(self, error: BaseException) -> bool:
        """End the trial, as the agent ends by an error; return whether there was one."""
        if self.store is None or self.trial is None or self.store.record.trial is None:
            return False
        self.trial = None
        try:
            self.store.roll_back(f"the agent ended: {error}")
        except EdgeagentError as why:
            logger.error("%s; the start is counted against the configuration on trial", why)
        self.close(clean=False)
        return True

    def close(self, clean: bool = True) -> None:
        """End the use of the state folder; ``clean`` is whether the run ended as it should."""
        if self.store is not None and not self._closed:
            self._closed = True
            self.store.close(clean)

    def _choose(self, store: ConfigurationStore) -> None:
        """Serve the configuration on trial, or a good one."""
        trial = store.record.trial
        if trial is not None:
            if trial.starts >= self.limits.strikes:
                self._end_trial(store, f"{trial.starts} starts of the agent without a passed trial")
            elif store.count_start():
                try:
                    self.serve(trial.configuration, self.apply(trial.configuration))
                    self.trial = store.record.trial
                    return
                except DeliveryError as error:
                    self._end_trial(store, str(error))
        current = store.record.current
        if current is not None and not self._serve_good(store, current):
            previous = store.record.previous if store.record.current == current else store.record.current
            if previous is not None:
                self._serve_good(store, previous)

    def _serve_good(self, store: ConfigurationStore, good: StoredConfiguration) -> bool:
        try:
            self.serve(good, self.apply(good))
        except UnusableConfigurationError as error:
            self.problem = f"the good configuration {good.version} does not serve: {error}"
        except DeliveryError as error:
            self.problem = f"the good configuration {good.version} does not serve: {error}"
            if store.record.current == good:  # fetched again by the next update check
                try:
                    store.go_back(str(error), to_previous=True, bad=False)
                except EdgeagentError as why:
                    logger.error("%s", why)
        else:
            return True
        logger.error("%s", self.problem)
        return False

    def _end_trial(self, store: ConfigurationStore, reason: str) -> None:
        logger.error("the configuration on trial is left: %s", reason)
        try:
            store.roll_back(reason)
        except EdgeagentError as error:
            logger.error("%s; the trial is judged again at the next start", error)


def open_configuration(own: OwnConfiguration) -> ServedConfiguration:
    """Return the configuration that serves: the file of the board, and a signed one where there is one.

    Raises:
        LockedError: another agent uses the state folder.
    """
    if own.settings.delivery is None:
        return ServedConfiguration(own)
    folder = state_folder(own.settings) / FOLDER / CONFIGURATION
    try:
        store = ConfigurationStore(folder)
    except LockedError:
        raise
    except EdgeagentError as error:
        logger.error("%s; the file of the board serves alone", error)
        return ServedConfiguration(own, problem=f"{error}; no signed configuration serves")
    return ServedConfiguration(own, store)
