"""The ``actions`` section of the configuration: what is done when something happens.

The whole section stays in the file of the board: it calls servers and programs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from edgeagent.settings.addresses import server_url
from edgeagent.settings.sections.objects import Label
from edgeagent.settings.sections.zones import ScheduleSettings, unique_names
from edgeagent.settings.types import Seconds, SettingsSection, TopicLevel

MOST_RULES = 32
Trigger = Literal[
    "zone.occupied", "zone.free", "zone.loiter", "line.in", "line.out", "object.new", "object.end"
]


class ConditionSettings(SettingsSection):
    """Events that a rule is for; all conditions must hold.

    Attributes:
        events: kinds of events.
        cameras, zones, lines, labels: names; empty for all. An event without one, such as the label of a zone
            that is occupied, is not held back by it, except by ``zones`` and ``lines``.
        schedule: local time of day; None is always.
        armed: whether only events count that happen while the device is armed.
    """

    events: Annotated[tuple[Trigger, ...], Field(min_length=1)]
    cameras: tuple[TopicLevel, ...] = ()
    zones: tuple[TopicLevel, ...] = ()
    lines: tuple[TopicLevel, ...] = ()
    labels: tuple[Label, ...] = ()
    schedule: ScheduleSettings | None = None
    armed: bool = True


def _published_topic(value: str) -> str:
    if (
        not value
        or len(value.encode()) > 256
        or re.search(r"[+#\x00-\x1f\x7f-\x9f]", value)
        or value[0] == "$"
    ):
        raise ValueError(
            "expected a topic to publish to, without +, # and control characters, and not below $"
        )
    return value


class MqttActionSettings(SettingsSection):
    """Message to the broker.

    Attributes:
        topic: complete topic, such as ``siren/set``.
        payload: text; None sends the event as JSON.
        qos: 0 or 1. While the broker is away, the message is lost.
        retain: whether the broker keeps it.
    """

    topic: Annotated[str, AfterValidator(_published_topic)]
    payload: Annotated[str, StringConstraints(max_length=4096)] | None = None
    qos: Literal[0, 1] = 1
    retain: bool = False


class WebhookSettings(SettingsSection):
    """Call of a web server: POST of the event as JSON, signed as in the specification Standard Webhooks.

    Attributes:
        url: URL of the server; https, or http.
        secret_file: file whose first line is the secret of the signature; None does not sign.
        ca: file of trusted CA certificates; None uses those of the system.
        timeout: seconds that one call may take.
        retry_first, retry_longest: pauses between attempts.
        age: running time of the agent after which a call is given up.
    """

    url: Annotated[str, AfterValidator(server_url)]
    secret_file: Path | None = None
    ca: Path | None = None
    timeout: Annotated[Seconds, Field(le=60)] = 10.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 300.0
    age: Seconds = 3600.0

    @field_validator("url")
    @classmethod
    def _holds_no_password(cls, value: str) -> str:
        if "@" in urlsplit(value).netloc:
            raise ValueError("a password in the URL is not used; calls are signed with secret_file")
        return value


class CommandSettings(SettingsSection):
    """Program of the board that is run, without a shell; the event as JSON is its standard input.

    Attributes:
        arguments: absolute path of the program, and its arguments.
        timeout: seconds after which it is killed, with the programs that it has started.
    """

    arguments: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1, max_length=64)
    ]
    timeout: Annotated[Seconds, Field(le=600)] = 10.0

    @field_validator("arguments")
    @classmethod
    def _program_is_absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value[0].startswith("/"):
            raise ValueError("expected the absolute path of a program first, such as /usr/local/bin/siren")
        return value


class RuleSettings(SettingsSection):
    """Rule: events, and one action.

    Attributes:
        name: of the rule.
        when: events.
        mqtt, webhook, command: the action; exactly one.
    """

    name: TopicLevel
    when: ConditionSettings
    mqtt: MqttActionSettings | None = None
    webhook: WebhookSettings | None = None
    command: CommandSettings | None = None

    @model_validator(mode="after")
    def _has_one_action(self) -> RuleSettings:
        if sum(one is not None for one in (self.mqtt, self.webhook, self.command)) != 1:
            raise ValueError("expected one of mqtt, webhook and command")
        return self


class ActionSettings(SettingsSection):
    """Action settings.

    Attributes:
        commands: whether rules may run programs.
        rules: rules, each for itself.
    """

    commands: bool = False
    rules: Annotated[
        tuple[RuleSettings, ...], Field(max_length=MOST_RULES), AfterValidator(unique_names)
    ] = ()

    @model_validator(mode="after")
    def _commands_are_allowed(self) -> ActionSettings:
        for rule in self.rules:
            if rule.command is not None and not self.commands:
                raise ValueError(f"rule {rule.name} runs a program; that needs `commands: true`")
        return self
