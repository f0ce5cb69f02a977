"""Watch of rollouts: a due step is signed, or refused by the metrics that the fleet reports over MQTT."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.errors import EdgeagentError
from edgeagent.publisher.condition import Condition, ConditionResult
from edgeagent.publisher.errors import HaltedError, PublishError
from edgeagent.publisher.fleet import TOPICS, Fleet, FleetEvidence
from edgeagent.publisher.opening import opened
from edgeagent.publisher.places import locked
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.rollout_policy import is_paused, set_rollout
from edgeagent.publisher.rollout_steps import Plan, read_steps, write_steps
from edgeagent.publisher.signers import Signers
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.client import plain_client

logger = logging.getLogger(__name__)

CHECK_S = 60.0  # between two checks of due steps without enough reports, and for new rollouts


class FleetListener:
    """Subscriber to the messages of a fleet, a context manager.

    Args:
        settings: of the broker, with a host.
        now: returns the time, UTC.

    Attributes:
        changed: notified after every message.

    Raises:
        EdgeagentError: on entering: the broker cannot be reached, or refuses. Later it reconnects.
    """

    def __init__(self, settings: MqttSettings, now: Callable[[], datetime] = utcnow) -> None:
        self._settings = settings
        self._fleet = Fleet(now)
        self.changed = threading.Condition()
        self._answer: str | None = None
        self._client = plain_client(settings, f"edgeagent-watch-{secrets.token_hex(4)}")
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def __enter__(self) -> FleetListener:
        address = host_and_port(str(self._settings.host), self._settings.port)
        try:
            self._client.connect(
                self._settings.host or "", self._settings.port, max(1, round(self._settings.keepalive))
            )
        except (OSError, ValueError) as error:
            raise EdgeagentError(
                f"broker {address} cannot be reached ({error}); no step was signed"
            ) from None
        self._client.loop_start()
        with self.changed:
            self.changed.wait_for(lambda: self._answer is not None, 10.0)
        if self._answer != "subscribed":
            self.__exit__()
            raise EdgeagentError(f"broker {address} {self._answer or 'does not answer'}; no step was signed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def heard(self) -> int:
        """Return the number of messages so far."""
        with self.changed:
            return self._fleet.heard

    def judge(self, condition: Condition, plan: Plan) -> ConditionResult:
        """Judge the condition of a rollout by what was heard; no message is added meanwhile."""
        with self.changed:
            evidence = FleetEvidence(self._fleet, plan.of, plan.since)
            return condition.judge(evidence, plan.least_devices)

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        if code.is_failure:
            self._set_answer(f"refuses the connection ({code})")
        else:
            client.subscribe([(topic, 1) for topic in TOPICS])

    def _on_subscribe(
        self, client: paho.Client, data: Any, number: int, codes: list[ReasonCode], more: Any
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        self._set_answer(f"refuses the subscription ({refused[0]})" if refused else "subscribed")

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        if code.is_failure:
            logger.warning("the broker was lost (%s); trying again", code)
            if self._answer is None:  # the reason of a refusal is kept
                self._set_answer(f"closed the connection ({code})")

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        with self.changed:
            self._fleet.hear(message.topic, bytes(message.payload))
            self.changed.notify_all()

    def _set_answer(self, answer: str) -> None:
        with self.changed:
            self._answer = answer
            self.changed.notify_all()


class Watch:
    """Signs the due steps of all rollouts of a publisher's folder.

    Args:
        folder: of the publisher.
        judge: judges the condition of a rollout, such as :meth:`FleetListener.judge`.
        signers: of channels, snapshot and timestamp.
        report: called with lines of text.
        now: returns the time, UTC.

    Attributes:
        who: for the audit log; None is user and host.

    Raises:
        SigningKeyError: a key cannot be used; all are opened here, before a step is due.
    """

    def __init__(
        self,
        folder: Path,
        judge: Callable[[Condition, Plan], ConditionResult],
        signers: Signers,
        report: Callable[[str], None] = logger.info,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._folder, self._judge_condition, self._signers, self._now = folder, judge, signers, now
        self._report = report
        self.who: str | None = None
        self._reported: dict[str, str] = {}
        self._open_keys()

    def check(self) -> timedelta | None:
        """Sign every due step, and return the time to the next check; None when no step is left.

        Raises:
            HaltedError: a rollout is halted; the others are handled first.
            EdgeagentError: a step cannot be signed.
        """
        halted, resuming, waits = [], [], []
        for plan in read_steps(self._folder).plans:
            if plan.halted is not None:
                halted.append(f"{plan.title} stays at {plan.percents[plan.step]:g} %: {plan.halted}")
                resuming.append(f"`{plan.of.command} --resume`")
                continue
            if plan.due is None:
                continue
            left = (plan.due - self._now()).total_seconds()
            if left > 0:
                self._announce(
                    plan, f"{plan.percents[plan.step]:g} %, next step {plan.due:%Y-%m-%d %H:%M} UTC"
                )
                waits.append(min(left, CHECK_S))
                continue
            reason = self._judge(plan)
            if reason is not None:
                halted.append(reason)
                resuming.append(f"`{plan.of.command} --resume`")
            else:
                waits.append(CHECK_S)
        if halted:
            raise HaltedError(
                f"{'; '.join(halted)}; the next step is not signed. Withdraw the release, or go on with "
                f"{' and '.join(resuming)}"
            )
        return timedelta(seconds=min(waits)) if waits else None

    def _open_keys(self) -> None:
        channels = {plan.channel for plan in read_steps(self._folder).plans if plan.due}
        with self._opened() as publication:
            for role in (*sorted(channels), "snapshot", "timestamp"):
                for key in publication.keys(role):
                    self._signers.get(key, role)

    def _judge(self, plan: Plan) -> str | None:
        """Sign the due step, or return why it is refused."""
        condition = plan.condition
        verdict = None if condition is None else self._judge_condition(condition, plan)
        if verdict and verdict.holds:
            why = f"{plan.halt_if} holds: {verdict.numbers}"
            self._update(plan, halted=why)
            return f"{plan.title} is halted at {plan.percents[plan.step]:g} %: {why}"
        if verdict and verdict.holds is None:
            self._announce(
                plan, f"waits at {plan.percents[plan.step]:g} %, not enough is known: {verdict.numbers}"
            )
            return None
        self._step(plan, verdict.numbers if verdict else "no condition was given")
        return None

    def _step(self, plan: Plan, why: str) -> None:
        percent = plan.percents[plan.step + 1]
        with self._opened() as publication:
            if not any(plan == other for other in read_steps(self._folder).plans):
                return  # it was changed meanwhile; the next check uses the new plan
            if is_paused(publication, plan.of):
                self._announce(plan, f"is paused; `{plan.of.command} --resume` goes on")
                return
            set_rollout(publication, plan.of, {"percent": percent})
            publication.describe("rollout step", f"{plan.title}: {percent:g} % ({why})")
            if not publication.publish():
                raise PublishError(
                    f"{plan.title}: the step to {percent:g} % waits for signatures of other key holders; see "
                    "`edgeagent publish status`"
                )
            steps = read_steps(self._folder)
            done = plan.model_copy(update={"step": plan.step + 1, "since": self._now()})
            write_steps(self._folder, steps.having(done))
        self._announce(plan, f"goes from {plan.percents[plan.step]:g} % to {percent:g} %: {why}")

    def _opened(self) -> AbstractContextManager[Publication]:
        return opened(
            self._folder,
            self._signers.secrets,
            now=self._now,
            signers=self._signers,
            wait=True,
            who=self.who,
        )

    def _update(self, plan: Plan, **fields: Any) -> None:
        with locked(self._folder, wait=True):
            steps = read_steps(self._folder)
            if any(plan == other for other in steps.plans):
                write_steps(self._folder, steps.having(plan.model_copy(update=fields)))

    def _announce(self, plan: Plan, text: str) -> None:
        """Report a text unless it is the last one of the plan."""
        if self._reported.get(plan.title) != text:
            self._reported[plan.title] = text
            self._report(f"{plan.title}: {text}")


def watch(watcher: Watch, listen_s: float, *, once: bool) -> None:
    """Check rollouts until no step is left.

    Args:
        watcher: that signs the steps.
        listen_s: seconds to listen before the first check.
        once: whether to check one time only.

    Raises:
        HaltedError: see :meth:`Watch.check`.
    """
    pause: timedelta | None = timedelta(seconds=listen_s)
    stopped = threading.Event()
    while pause is not None:
        stopped.wait(pause.total_seconds())
        pause = watcher.check()
        if once:
            return
