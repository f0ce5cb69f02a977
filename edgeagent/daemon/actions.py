"""Actions of the settings."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.actions import RuleSettings, WebhookSettings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.actions.action import Action
from edgeagent.telemetry.actions.command import CommandAction
from edgeagent.telemetry.actions.message import MessageAction
from edgeagent.telemetry.actions.receiver import ActionReceiver, Rule
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.telemetry.mqtt.spool import Spool

logger = logging.getLogger(__name__)

SPOOL_SIZE = 5_000_000
"""Most bytes of the calls that wait for one web server."""


def build_actions(
    settings: Settings, publisher: Publisher, armed: Callable[[], bool]
) -> ActionReceiver | None:
    """Return the receiver that has the actions done; None where there is no rule.

    Args:
        settings: settings of the agent.
        publisher: of the device.
        armed: returns whether the device is armed.

    Raises:
        ConfigurationError: the secret or the certificates of a webhook cannot be read.
    """
    state = state_folder(settings)
    webhooks = [(rule.name, rule.webhook) for rule in settings.actions.rules if rule.webhook is not None]
    _forget_others(state, {spool_file(name, webhook) for name, webhook in webhooks})
    if not settings.actions.rules:
        return None
    rules = [Rule(rule.when, _action(rule, publisher, state)) for rule in settings.actions.rules]
    return ActionReceiver(settings.device, rules, armed)


def _action(rule: RuleSettings, publisher: Publisher, state: Path) -> Action:
    if rule.mqtt is not None:
        return MessageAction(rule.mqtt, publisher)
    if rule.webhook is not None:
        from edgeagent.telemetry.actions.webhook import WebhookAction  # here, since its library takes memory

        spool = partial(Spool, state / spool_file(rule.name, rule.webhook), SPOOL_SIZE, rule.webhook.age)
        return WebhookAction(rule.name, rule.webhook, spool)
    if rule.command is not None:
        return CommandAction(rule.name, rule.command)
    raise ConfigurationError(f"actions: rule {rule.name} does nothing")


def spool_file(rule: str, webhook: WebhookSettings) -> str:
    """Return the name of the file of the calls that wait, which belong to one rule and one URL."""
    return f"webhook-{rule}-{hashlib.sha256(webhook.url.encode()).hexdigest()[:8]}.db"


def _forget_others(state: Path, files: Collection[str]) -> None:
    """Remove the calls of webhooks that are not configured any more, or that call another server now."""
    for spool in state.glob("webhook-*.db"):
        if spool.name in files:
            continue
        try:
            for path in (spool, *(spool.with_name(spool.name + end) for end in ("-wal", "-shm"))):
                path.unlink(missing_ok=True)
            logger.warning("%s: calls of a webhook that is not configured any more are removed", spool.name)
        except OSError as error:
            logger.error("%s: cannot be removed (%s)", spool, error.strerror)
