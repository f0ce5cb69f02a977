"""Steps of the deployment of a configuration, each to be repeated after a failure of network or disk.

::

    follow (a new index) -> fetching -> staged -> trial, and the agent starts again
    judge (while the trial serves) -> good | rolled back, and the agent starts again
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.delivery.configuration.choice import (
    choose_configuration,
    offered,
    stored,
    withdrawal,
)
from edgeagent.delivery.configuration.probation import ConfigurationProbation, required_cameras
from edgeagent.delivery.configuration.record import (
    ConfigurationDeployment,
    StoredConfiguration,
    WorkingParts,
)
from edgeagent.delivery.configuration.serving import ServedConfiguration
from edgeagent.delivery.configuration.store import ConfigurationStore
from edgeagent.delivery.configuration.wishes import ROLLBACK_CONFIGURATION, state_of
from edgeagent.delivery.errors import RefusedError
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.repository.configuration_entry import Configuration
from edgeagent.delivery.update.policy import Device, serve_hindrance
from edgeagent.errors import DeliveryError
from edgeagent.files.durable import disk_errors, make_folder

logger = logging.getLogger(__name__)

ASK_AGAIN_S = 10.0  # whether a staged configuration may serve
LOOK_S = 0.5  # at what works, during a trial
NEVER = float("inf")


@dataclass(frozen=True)
class ConfigurationContext:
    """What the updater of configurations works with.

    Attributes:
        served: configuration that serves.
        client: of the repository, used by this thread only.
        device: returns the properties of this device now.
        parts: returns what works now.
        busy: returns why the agent must not start again now; None where it may.
        restart: makes the agent start again, soon.
        ended: called with each deployment that has ended, once.
    """

    served: ServedConfiguration
    client: Client
    device: Callable[[], Device]
    parts: Callable[[], WorkingParts]
    busy: Callable[[], str | None]
    restart: Callable[[], None]
    ended: Callable[[ConfigurationDeployment], None]


class ConfigurationSteps:
    """Steps of deployments; one thread calls them.

    Args:
        context: what they work with.
        store: of the configurations.
        clock: returns monotonic seconds.

    Attributes:
        waiting: why the deployment waits; None if it does not.
        no_target: why the last index gives no configuration to move to; None if it does.
        due_s: monotonic seconds at which the next step is due.
        leaving: whether the agent is about to start again; nothing is done any more.
    """

    def __init__(
        self,
        context: ConfigurationContext,
        store: ConfigurationStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context, self._served, self._store, self._clock = context, context.served, store, clock
        self._channel: Channel | None = None
        self._probation: ConfigurationProbation | None = None
        self._refused: dict[str, str] = {}
        self.waiting: str | None = None
        self.no_target: str | None = None
        self.due_s, self.leaving = 0.0, False

    def begin(self) -> None:
        """Begin the probation of a configuration on trial; all parts of the agent have started."""
        trial = self._served.trial
        if trial is not None and trial.before is not None:
            configured = tuple(camera.name for camera in self._served.settings.cameras)
            cameras = required_cameras(trial.before, trial.known_cameras, configured)
            began = self._clock()
            self._probation = ConfigurationProbation(self._served.limits, trial.before, cameras, began)

    def follow(self, channel: Channel) -> None:
        """Decide by a new index."""
        self._channel, record = channel, self._store.record
        slots = tuple(one.slot for one in channel.configurations if one.withdrawn is not None)
        self._store.note_withdrawn(slots)
        trial = record.trial
        if trial is not None:  # it is judged first, and a newer one follows after it
            withdrawn = withdrawal(channel, trial.configuration)
            if withdrawn is not None:
                self._store.roll_back(f"configuration {withdrawn}", bad=False)
                self._leave()
            return
        choice = choose_configuration(channel, self._context.device(), record)
        self.no_target, target = choice.reason if choice.entry is None else None, None
        if choice.entry is not None:
            target = stored(choice.entry)
        pending = record.pending
        if pending is not None and (target is None or target.slot != pending.configuration.slot):
            version = pending.configuration.version
            logger.info("configuration %s is not followed any more, before its trial", version)
            self._store.drop()
            pending = None
        if target is None and choice.leave is not None:
            self._store.go_back(f"configuration {choice.leave}", to_previous=False, bad=False)
            self._leave()
            return
        if target is None or self._is_refused(target):
            if target is not None:
                reasons = (choice.reason, self._refused[target.slot])
                self.no_target = "; ".join(reason for reason in reasons if reason)
            return
        if pending is None:
            self._store.begin(target)
        self.due_s = 0.0

    def _is_refused(self, target: StoredConfiguration) -> bool:
        """Return whether a configuration was refused before, and still would be."""
        last = self._store.record.deployment
        if last is not None and last.state == "rejected" and last.configuration.slot == target.slot:
            try:
                self._served.apply(target)
            except DeliveryError as error:
                if str(error) == last.reason:
                    self._refused[target.slot] = str(error)
        return target.slot in self._refused

    def step(self) -> None:
        """Do the next step of the deployment."""
        pending, self.waiting = self._store.record.pending, None
        if pending is None:
            self.due_s = NEVER
        elif pending.state == "trial":
            self._judge()
        else:
            entry = offered(self._channel, pending.configuration) if self._channel is not None else None
            if entry is None:
                self.waiting, self.due_s = "for the next update check", NEVER
            elif pending.state == "fetching":
                self._fetch(pending, entry)
            else:
                self._activate(pending, entry)

    def _fetch(self, pending: ConfigurationDeployment, entry: Configuration) -> None:
        path = self._store.path(pending.configuration)
        with disk_errors(path.parent):
            make_folder(path.parent)
        try:
            self._store.read(pending.configuration)
        except DeliveryError:
            client, channel = self._context.client, self._channel
            if channel is None:
                return
            client.refresh_metadata()
            client.fetch_target(entry.target(channel.channel), path, entry.size)
            try:
                self._store.read(pending.configuration)
            except DeliveryError as error:
                raise RefusedError(f"{error}: the file is not the one that the index names") from None
        if self._accepts(pending.configuration):
            self._store.move("staged")
        self.due_s = 0.0

    def _accepts(self, configuration: StoredConfiguration) -> bool:
        """Check a configuration with the file of the board; reject it otherwise."""
        try:
            self._served.apply(configuration)
        except DeliveryError as error:
            logger.error("refused: %s", error)
            self._refused[configuration.slot] = str(error)
            self._store.move("rejected", str(error))
            return False
        return True

    def _activate(self, pending: ConfigurationDeployment, entry: Configuration) -> None:
        self.waiting = serve_hindrance(entry, self._context.device()) or self._context.busy()
        if self.waiting is not None:
            self.due_s = self._clock() + ASK_AGAIN_S
            return
        if not self._accepts(pending.configuration):
            return
        applied, served = self._served.apply(pending.configuration), self._served
        cameras = tuple(camera.name for camera in served.settings.cameras)
        self._store.begin_trial(self._context.parts(), cameras)
        if applied.settings == served.settings:
            self._store.passed()
            served.serve(pending.configuration, applied)
            logger.info("configuration %s changes nothing here", pending.configuration.version)
        else:
            logger.info("configuration %s is put on trial", pending.configuration.version)
            self._leave()

    def _judge(self) -> None:
        if self._probation is None:
            self._store.roll_back("its start could not be counted on the disk", bad=False)
            return
        now = self._clock()
        verdict, reason = self._probation.look(self._context.parts(), now)
        self.due_s = now + LOOK_S
        if verdict == "good":
            self._store.passed()
            self._probation, self._served.trial = None, None
            logger.info("configuration %s is good: %s", self._served.version, reason)
            self.due_s = 0.0
        elif verdict == "bad":
            logger.error("configuration %s is rolled back: %s", self._served.version, reason)
            try:
                self._store.roll_back(reason)
            finally:  # on a full disk the next start cannot be counted, and does not serve it
                self._leave()
        else:
            self.waiting = reason

    def rollback(self) -> str:
        actions = ROLLBACK_CONFIGURATION[state_of(self._store.record)]
        if not actions:
            raise DeliveryError("no signed configuration serves; the file of the board serves alone")
        why, serves = "rolled back by a command", self._store.record.current
        for action in actions:
            if action == "cancel":
                self._store.cancel(why)
            elif action == "end_trial":
                self._store.roll_back(why)
                self._leave()
            elif action == "go_back":
                self._store.go_back(why, to_previous="leave" not in actions, bad=True)
            elif self._store.record.current is not None:
                self._store.go_back("it is withdrawn", to_previous=False, bad=False)
        if self._store.record.current != serves:
            self._leave()
        current = self._store.record.current
        return f"{f'configuration {current.version}' if current else 'the file of the board alone'} is next"

    def _leave(self) -> None:
        """Have the agent start again; nothing is done until then."""
        self.leaving = True
        self._context.restart()
