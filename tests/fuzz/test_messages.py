"""Messages with any payload are answered, counted or refused; none ends a thread."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from edgeagent.delivery.update.commands import Commands
from edgeagent.publisher.fleet import TOPICS, Fleet
from edgeagent.telemetry.contract.commands import request_id_of
from edgeagent.telemetry.contract.feedback import Feedback
from tests.delivery.obedient import Obedient
from tests.fuzz import DEEP, bounded, json_values

COMMANDS = (
    "check_now",
    "pin",
    "unpin",
    "rollback",
    "cancel",
    "status",
    "forgive",
    "x\nCRITICAL edgeagent: forged",
)
requests = st.fixed_dictionaries(
    {"request_id": json_values, "command": st.sampled_from(COMMANDS) | json_values},
    optional={"name": json_values, "version": json_values, "k\n": json_values},
)
payloads = st.binary(max_size=200) | (requests | json_values).map(lambda value: json.dumps(value).encode())


@bounded
@given(payload=payloads)
@example(payload=DEEP)
@example(payload=b'{"request_id":"a\\nCRITICAL x","command":"status"}')
@example(payload=b'{"request_id":"a","command":"x\\u001b[2J"}')
def test_commands(payload: bytes) -> None:
    reply = Commands(Obedient()).answer(payload)
    assert reply.request_id is None or reply.request_id == request_id_of(payload)
    json.dumps([reply.text, reply.ok])


@bounded
@given(payload=payloads)
@example(payload=DEEP)
def test_feedback(payload: bytes) -> None:
    try:
        Feedback.model_validate_json(payload)
    except ValidationError:
        return


@bounded
@given(payload=payloads, topic=st.sampled_from(TOPICS))
@example(payload=DEEP, topic=TOPICS[0])
@example(payload=DEEP, topic=TOPICS[-1])
@example(payload=b'{"model": 1, "state": "good"}', topic=TOPICS[0])
def test_messages_of_a_fleet(payload: bytes, topic: str) -> None:
    Fleet().hear(topic.replace("+", "board"), payload)
