"""Actions in the configuration: what a rule may do, and names that are not there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edgeagent.settings.schema import TOPICS, Settings
from edgeagent.telemetry.contract.messages import ROOT

ZONE = {"name": "gate", "polygon": [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]}
SIREN = {"mqtt": {"topic": "siren/set"}}


def settings(action: dict[str, Any], on: dict[str, Any] | None = None, **more: Any) -> Settings:
    rule = {"name": "rule", "when": {"events": ["zone.occupied"], **(on or {})}, **action}
    actions = {"rules": [rule], "commands": more.pop("commands", False)}
    camera = {"name": "yard", "source": "rtsp://a/1", "zones": [ZONE]}
    given = {"cameras": [camera], "mqtt": {"host": "broker"}, "actions": actions, **more}
    return Settings.model_validate(given)


def test_nothing_is_done_by_default() -> None:
    plain = Settings.model_validate({"cameras": [{"name": "yard", "source": "0"}]})
    assert plain.actions.rules == () and not plain.actions.commands


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({}, "expected one of mqtt, webhook and command"),
        ({**SIREN, "webhook": {"url": "https://a/"}}, "expected one of"),
        ({"mqtt": {"topic": "siren/#"}}, "without [+], #"),
        ({"mqtt": {"topic": "siren\nset"}}, "control characters"),
        ({"webhook": {"url": "ftp://a/"}}, "expected http:// or https://"),
        ({"webhook": {"url": "https://me:pw@a/"}}, "signed with secret_file"),
        ({"command": {"arguments": ["/bin/true"]}}, "needs `commands: true`"),
        ({"command": {"arguments": ["true"]}}, "absolute path"),
        ({"command": {"arguments": []}}, "at least 1"),
    ],
)
def test_an_action_that_is_none(action: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(action)


@pytest.mark.parametrize("topic", ["edgeagent/v1/gate", "edgeagent/v1/gate/cmd"])
def test_a_message_does_not_imitate_those_of_the_device(topic: str) -> None:
    with pytest.raises(ValidationError, match="a topic of this device itself"):
        settings({"mqtt": {"topic": topic}}, device="gate")
    assert settings({"mqtt": {"topic": topic}}, device="gates").actions.rules


def test_topics_of_devices_are_those_of_the_contract() -> None:
    assert TOPICS == ROOT


def test_commands_are_run_where_they_are_allowed() -> None:
    assert settings({"command": {"arguments": ["/bin/true"]}}, commands=True).actions.rules[0].command


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ({"zones": ["door"]}, "there is no zone door"),
        ({"lines": ["door"]}, "there is no line door"),
        ({"cameras": ["hall"]}, "there is no camera hall"),
        ({"events": []}, "at least 1"),
        ({"events": ["zone"]}, "zone.occupied"),
    ],
)
def test_conditions_that_can_never_hold(on: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(SIREN, on)


def test_what_actions_need_must_be_there() -> None:
    with pytest.raises(ValidationError, match=r"needs a broker: give mqtt\.host"):
        settings(SIREN, mqtt={})
    with pytest.raises(ValidationError, match="actions need tracked objects"):
        settings(SIREN, tracking={"tracker": "off"})
