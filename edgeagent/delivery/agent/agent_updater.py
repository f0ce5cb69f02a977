"""Updater of the agent: the thread that brings the next version beside the running one and switches to it.

::

    index -> choose -> fetch -> install -> check -> staged -> trial (durable) -> this process ends
                 \\        \\        \\        \\-> rejected (durable): bad here
                  \\        \\        \\-> rejected
                   +--------+-> waits, is tried again

Each step can be repeated after a kill: an archive has its name when it has verified, an environment when it
is complete on the disk. It works beside the updater of models, with a client and metadata of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeagent.delivery.agent.agent_host import AgentHost, AgentUpdateStatus
from edgeagent.delivery.agent.choice import agent_withdrawal, choose_agent
from edgeagent.delivery.agent.housekeeping import prune, remove_unfinished
from edgeagent.delivery.agent.installation import check_room, install, needed_bytes
from edgeagent.delivery.agent.platform_fit import read_platform
from edgeagent.delivery.agent.report import describe_agent
from edgeagent.delivery.agent.self_check import SelfCheckError, self_check
from edgeagent.delivery.agent.wheel_set import WheelSetError
from edgeagent.delivery.errors import CancelledError, NoRoomError, RefusedError
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.update.policy import serve_hindrance
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.files.durable import disk_errors, make_folder
from edgeagent.files.hashing import hash_file
from edgeagent.launcher.environment import damage
from edgeagent.launcher.launched import utc_now
from edgeagent.launcher.record import (
    PARTIAL,
    VERSIONS,
    AgentRecord,
    AgentTrial,
    AgentVersion,
    change_agent_record,
    read_agent_record,
)
from edgeagent.settings.sections.delivery import AgentUpdateSettings, DeliverySettings
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import Fault, GuardedThread, describe, report_fault
from edgeagent.version import __version__

logger = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_LONGEST_S, ASK_AGAIN_S = 5.0, 600.0, 30.0
METADATA = "metadata"
MIN_PROGRESS = 0.01


class AgentUpdater:
    """Keeps the agent itself on the version of the channel.

    Args:
        settings: of delivery, with ``agent``.
        host: the running agent.
        on_change: called after every change of the status or the record, in this thread.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        host: AgentHost,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings, self._host, self.on_change = settings, host, on_change
        self._agent = settings.agent or AgentUpdateSettings()
        self._folder = host.start.path
        self._client: Client | None = None
        self._channel: Channel | None = None
        self._checked: str | None = None
        self._leaving = self._stopping = False
        self._wake = threading.Event()
        self._pause_s: float | None = None
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self.status = AgentUpdateStatus()
        self._thread = GuardedThread(self._run, "agent updater")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop; a step that takes longer ends with this process, and is repeated after the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def offer(self, channel: Channel) -> None:
        """Take a verified index; called by the updater of models, never waits."""
        if self._channel is None or channel.agents != self._channel.agents or self._pause_s is not None:
            self._channel = channel
            self._wake.set()

    def look_again(self) -> None:
        """Look at the record again, as the probation has ended; never waits."""
        self._wake.set()

    def agent_rollback(self) -> str:
        """Leave the running version for the one before it, or the packaged one; it is bad here.

        Raises:
            DeliveryError: the packaged version runs.
            EdgeagentError: it cannot be written.
        """
        start = self._host.start
        record = read_agent_record(self._folder)
        runs = [one for one in (record.trial, record.current) if one is not None and one.slot == start.slot]
        if not runs:
            raise DeliveryError(f"edgeagent {__version__} of the package runs; nothing to go back to")
        left = runs[0]
        self._leave(left, "rolled back by a command", bad=True)
        return f"edgeagent {left.version} is bad here; the service starts the version before it"

    def agent_forgive(self, version: str) -> str:
        """Remove a version from the bad ones of this device.

        Raises:
            DeliveryError: it is not bad here.
        """
        if all(bad.version != version for bad in read_agent_record(self._folder).bad):
            raise DeliveryError(f"edgeagent {version} is not bad here")
        change_agent_record(
            self._folder,
            lambda record: replace(record, bad=tuple(bad for bad in record.bad if bad.version != version)),
        )
        self._wake.set()
        return f"edgeagent {version} is no longer bad here"

    def agent_status(self) -> str:
        """Return the versions and the update as a sentence.

        Raises:
            DamagedAgentRecordError: the record cannot be read.
        """
        return describe_agent(read_agent_record(self._folder), self.status, self._host.start)

    def _run(self) -> None:
        self._prune()
        while not self._stopping:
            self._wake.wait(self._pause_s)
            self._wake.clear()
            if not self._stopping and not self._leaving:
                self._attempt()

    def _attempt(self) -> None:
        """Do all steps that can be done now; what fails for the network or the disk is tried again."""
        try:
            self._pause_s = None
            self._pause_s = self._advance()
            self._backoff.reset()
        except CancelledError:
            self._pause_s = 0.0
        except EdgeagentError as error:
            if str(error) != self.status.waiting:
                logger.warning("edgeagent %s: %s", self.status.version, error)
            refused = str(error) if isinstance(error, RefusedError) else None
            self._set(waiting=str(error), refused=refused, progress=None)
            self._pause_s = self._backoff.next()
            remove_unfinished(self._folder, everything=isinstance(error, NoRoomError))
        except Exception as error:
            logger.exception("the update of the agent cannot go on; report this as a bug of edgeagent")
            self._set(waiting=describe(error), progress=None)
            self._pause_s = self._backoff.next()
            report_fault(Fault(self._thread.name, describe(error), fatal=False))

    def _advance(self) -> float | None:
        """Go on with the update, and return after how many seconds to look again; None at a new index."""
        channel, start = self._channel, self._host.start
        if channel is None:
            return None
        record = read_agent_record(self._folder)
        if start.trial and record.trial is not None:
            self._set(state="trial", version=record.trial.version, waiting=None, progress=None, refused=None)
            return ASK_AGAIN_S
        if record.trial is not None:
            reason = "its start could not be counted: the state folder cannot be written"
            trial = record.trial
            record = change_agent_record(
                self._folder, lambda one: one.without(trial, "rejected", reason, utc_now(), bad=False)
            )
        if self._leave_withdrawn(channel, record):
            return None
        release, reason_not = choose_agent(
            channel.agents, self._host.device(), read_platform(), record, __version__
        )
        if release is None:
            self._set(state="idle", version=None, waiting=reason_not, progress=None, refused=None)
            self._prune()
            return None
        return self._bring(release)

    def _bring(self, release: AgentRelease) -> float | None:
        """Bring a version to its trial."""
        environment = self._folder / VERSIONS / release.slot
        try:
            if not environment.is_dir() or damage(environment, hashed=False) is not None:
                self._checked = None
                environment = self._install(release)
            if self._checked != release.slot:
                self._set(state="checking", version=release.version, waiting=None, progress=None)
                self_check(
                    environment,
                    release.version,
                    self._host.start.arguments,
                    self._host.bundle(),
                    self._interrupted,
                )
                self._checked = release.slot
        except (WheelSetError, SelfCheckError) as error:
            self._reject(release, str(error))
            return None
        hindrance = serve_hindrance(release, self._host.device()) or self._host.busy()
        if hindrance is not None:
            self._set(state="staged", version=release.version, waiting=hindrance, progress=None)
            return ASK_AGAIN_S
        self._switch(release)
        return None

    def _install(self, release: AgentRelease) -> Path:
        archive = self._folder / PARTIAL / f"{release.slot}.zip"
        self._set(state="fetching", version=release.version, waiting=None, progress=0.0)
        self._prune(release.slot)
        with disk_errors(archive):
            make_folder(archive.parent)
            if archive.exists() and hash_file(archive) != release.sha256:
                archive.unlink()  # damaged since it was fetched
        if not archive.exists():
            check_room(self._folder, needed_bytes(release))
            self._client = self._client or Client(self._settings, self._folder / METADATA)
            self._client.fetch_agent(
                release,
                archive,
                lambda size: self._note_progress(size / release.size),
                self._interrupted,
            )
        self._set(state="installing", waiting=None, refused=None, progress=None)
        check_room(self._folder, needed_bytes(release) - release.size)
        environment = install(archive, release, self._folder, Path(self._host.start.package))
        archive.unlink(missing_ok=True)
        return environment

    def _switch(self, release: AgentRelease) -> None:
        """Write the trial durably, and end this process."""
        detecting, broker = self._host.health()
        trial = AgentTrial(
            release.slot,
            release.version,
            release.sequence,
            most_starts=self._agent.starts,
            detecting=detecting,
            broker=broker,
            since=utc_now(),
        )
        change_agent_record(self._folder, lambda record: replace(record, trial=trial))
        logger.info("edgeagent %s is installed and checked; the service starts it on trial", trial.version)
        self._set(state="trial", version=release.version, waiting=None, progress=None)
        self._end()

    def _leave_withdrawn(self, channel: Channel, record: AgentRecord) -> bool:
        current = record.current
        reason = agent_withdrawal(channel.agents, current)
        if current is None or reason is None or current.slot != self._host.start.slot:
            return False
        before = agent_withdrawal(channel.agents, record.previous)
        if before is not None:
            change_agent_record(self._folder, lambda one: replace(one, previous=None))
        self._leave(current, reason, bad=False)
        return True

    def _leave(self, version: AgentVersion, reason: str, *, bad: bool) -> None:
        change_agent_record(
            self._folder, lambda record: record.without(version, "rolled_back", reason, utc_now(), bad=bad)
        )
        logger.warning("edgeagent %s is left: %s", version.version, reason)
        self._end()

    def _end(self) -> None:
        self._leaving = True
        self._host.restart()

    def _reject(self, release: AgentRelease, reason: str) -> None:
        logger.error("edgeagent %s is rejected: %s", release.version, reason)
        version = AgentVersion(release.slot, release.version, release.sequence)
        change_agent_record(
            self._folder, lambda record: record.without(version, "rejected", reason, utc_now())
        )
        self._set(state="idle", version=None, waiting=None, progress=None, refused=None)
        self._prune()
        self._wake.set()  # an older one may be newer than the running one

    def _prune(self, target: str | None = None) -> None:
        running = self._host.start.slot
        prune(self._folder, *(slot for slot in (target, running) if slot is not None), target=target)

    def _interrupted(self) -> bool:
        return self._stopping or self._wake.is_set()

    def _note_progress(self, share: float) -> None:
        if abs(share - (self.status.progress or 0.0)) >= MIN_PROGRESS:
            self._set(progress=share)

    def _set(self, **fields: Any) -> None:
        status = replace(self.status, **fields)
        if status != self.status:
            self.status = status
            self.on_change()
