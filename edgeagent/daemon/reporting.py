"""Parts of the agent that need no model: connection, messages, alarms, live page and the service of systemd.

They are there before the first model is started, and while none can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.agent_update import AgentUpdates
from edgeagent.daemon.alarms import Alarms
from edgeagent.daemon.broker_parts import build_publisher, has_broker
from edgeagent.daemon.fault_watch import FaultWatch
from edgeagent.daemon.live.live_changes import LiveChanges
from edgeagent.daemon.live.live_source import LiveSource
from edgeagent.daemon.live_page import build_live_page
from edgeagent.daemon.part import PART_STOP_S
from edgeagent.daemon.service import Service
from edgeagent.daemon.state_folder_watch import StateFolderWatch
from edgeagent.daemon.state_messages import RetainedMessages, StateMessages
from edgeagent.daemon.update_events import UpdateEvents
from edgeagent.delivery.first_model import OpenedStore
from edgeagent.events.arming import Arming
from edgeagent.files.folder_lock import lock_if_free
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.run_number import next_run
from edgeagent.timing.histogram import StageTimes


@dataclass(frozen=True)
class ReportingCallbacks:
    """What the agent does when these parts ask for it.

    Attributes:
        apply: applies changed settings.
        stop: stops the agent.
        goes_on: returns whether the process starts the agent again when it ends.
        configuration_version: returns the version of the signed configuration that serves.
    """

    apply: Callable[[SettingsChange], None]
    stop: Callable[[], None]
    goes_on: Callable[[], bool]
    configuration_version: Callable[[], str | None]


class Reporting:
    """These parts of one agent, not yet started.

    Args:
        settings: settings of the agent.
        live: where the settings come from; None takes no changes while the agent runs.
        times: stage times by camera.
        opened: models of this device, or why they cannot be used.
        callbacks: of the agent.

    Attributes:
        run: number of this start of the agent, None where it is unknown.
        page: live page; None without one.
        publisher: publisher of the device.
        events: publisher of events.
        adapters: further receivers of the messages.
        live: changes of the settings while the agent runs; None where ``live`` is not given.
        arming: switch of the events of zones and lines; None where no objects are tracked.
        state: alarms and retained messages.
        updates: events of deployments.
        service: notifications to systemd, and the watchdog.
        faults: watch of all threads.
        agent_updates: updates of the agent itself.
        folder: watch of the state folder.
        in_use: whether this agent, and no other one, has its state folder.
    """

    def __init__(
        self,
        settings: Settings,
        live: LiveSource | None,
        times: Mapping[str, StageTimes],
        opened: OpenedStore,
        callbacks: ReportingCallbacks,
    ) -> None:
        state, self._problem = state_folder(settings), opened.problem
        self.folder = StateFolderWatch(settings, opened.problem)
        self._lock = lock_if_free(state)  # `edgeagent status` sees it
        self.run = next_run(state)
        self.page = build_live_page(settings)
        self.publisher = build_publisher(settings)
        if self.page is not None:
            self.publisher = self.page.observed(self.publisher)
        self.events = EventLog(self.run, partial(self.publisher.publish, qos=1))
        self.adapters = Adapters(settings, self.publisher, state, times)
        alarms = Alarms()
        if opened.store is not None:
            alarms.update_deployment(opened.store.record)
        self.live = LiveChanges(live, settings, state, callbacks.apply, self.events) if live else None
        if self.page is not None and self.live is not None:
            self.page.edit_with(self.live)
        self.arming = Arming(state) if settings.tracking.tracker != "off" else None
        retained = RetainedMessages(alarms, settings.cameras, callbacks.configuration_version, self.arming)
        self.state = StateMessages(alarms, retained, self.events, self.publisher, self.adapters)
        if self.arming is not None:
            self.arming.on_change = self.state.publish
        self.updates = UpdateEvents(state, self.events)
        self.faults = FaultWatch(self.state.fault_changed, callbacks.stop)
        self.service = Service(self.publisher, has_broker(settings))
        self.agent_updates = AgentUpdates(settings, self.publisher, self.events)
        self.service.watchdog.starts_again = callbacks.goes_on

    @property
    def in_use(self) -> bool:
        """Return whether the state folder is this agent's."""
        return self._lock is not None

    def connect(self) -> None:
        """Connect to the broker, report that the agent starts, and open the page."""
        self.state.starting()
        self.faults.start()
        self.publisher.start()
        if self.page is not None:
            self.page.on_trouble = self.state.page_changed
            self.page.start()

    def begin(self) -> None:
        """Tell systemd that the agent is ready, and report what is known before a model serves."""
        self.service.begin()
        self.agent_updates.begin()
        if self._problem is not None:
            self.state.delivery_unavailable(self._problem)

    def give_up(self, stop_models: Callable[[], object] = lambda: None) -> None:
        """End after a start that has failed; ``stop_models`` comes before the last messages."""
        self.service.stop(0.0)
        if self.page is not None:
            self.page.stop(PART_STOP_S)
        stop_models()
        self.publisher.stop()
        self._release()

    def end(self, left_s: float) -> None:
        """Send the last messages within ``left_s`` seconds, and end."""
        self.publisher.stop(left_s)
        self._release()

    def _release(self) -> None:
        self.faults.stop()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
