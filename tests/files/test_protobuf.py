from __future__ import annotations

import pytest

from edgeagent.files import protobuf
from edgeagent.files.protobuf import FIXED32, FIXED64, LENGTH, VARINT, Field, ProtobufMessage

MESSAGE = bytes.fromhex("08 96 0112 07 74 65 73 74 69 6e 671d 01 02 03 0421 01 02 03 04 05 06 07 08")
"""Number 150 and text "testing" of the documentation of the encoding, and two numbers of fixed width."""


def test_fields_are_those_of_the_documentation() -> None:
    message = ProtobufMessage.parse(MESSAGE)
    assert [(field.number, field.wire) for field in message.fields] == [
        (1, VARINT),
        (2, LENGTH),
        (3, FIXED32),
        (4, FIXED64),
    ]
    assert (message.integer(1), message.text(2), message.integer(9, 7), message.text(9)) == (
        150,
        "testing",
        7,
        "",
    )
    assert message.encode() == MESSAGE


def test_numbers_are_signed() -> None:
    message = ProtobufMessage([])
    message.put(1, [-1, 2])
    assert ProtobufMessage.parse(message.encode()).fields[0] == Field(1, VARINT, (1 << 64) - 1)
    message.put(1, [-5])
    assert ProtobufMessage.parse(message.encode()).integer(1) == -5


def test_fields_are_replaced_in_their_place() -> None:
    message = ProtobufMessage.parse(MESSAGE + b"\x08\x01")
    message.put(1, [1, 2])
    message.put(2, ["\udcff", b"b"])
    assert [field.number for field in message.fields] == [1, 1, 2, 2, 3, 4]
    assert ProtobufMessage.parse(message.encode()).parts(2) == [b"\xff", b"b"]


@pytest.mark.parametrize("content", [b"\x08", b"\x12\x05abc", b"\x0f", b"\x08" + b"\xff" * 11, b"\x21\x00"])
def test_bytes_that_are_no_message(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"byte|exceeds"):
        ProtobufMessage.parse(content)


def test_a_message_of_too_many_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 3)
    with pytest.raises(ValueError, match="more than 3 fields"):
        ProtobufMessage.parse(MESSAGE)
