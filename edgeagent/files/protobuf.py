"""Protocol-buffer messages as lists of fields, read and written without a schema.

Values refer to the bytes that were parsed, so that a file of hundreds of megabytes is not copied. Source of
the encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
Content = bytes | memoryview
_LONGEST_VARINT = 70  # bits, in groups of 7
_UNSIGNED = 0xFFFF_FFFF_FFFF_FFFF
MOST_FIELDS = 1 << 20  # of one message, so that a hostile file takes little memory


@dataclass(frozen=True, slots=True)
class Field:
    """Field of a message.

    Attributes:
        number: in the schema.
        wire: wire type; :data:`VARINT`, :data:`FIXED64`, :data:`LENGTH` or :data:`FIXED32`.
        value: number of a VARINT, unsigned; else the bytes.
    """

    number: int
    wire: int
    value: int | Content


@dataclass
class ProtobufMessage:
    """Message whose fields can be replaced.

    Attributes:
        fields: in the order of the file.
    """

    fields: list[Field]

    @classmethod
    def parse(cls, content: Content) -> ProtobufMessage:
        """Return the message in bytes, which it refers to.

        Raises:
            ValueError: the bytes are no message, or it has more than :data:`MOST_FIELDS` fields.
        """
        fields = list(islice(_fields(memoryview(content)), MOST_FIELDS + 1))
        if len(fields) > MOST_FIELDS:
            raise ValueError(f"a message has more than {MOST_FIELDS} fields")
        return cls(fields)

    def encode(self) -> bytes:
        """Return the bytes of the message."""
        parts: list[Content] = []
        for field in self.fields:
            parts.append(_varint(field.number << 3 | field.wire))
            if isinstance(field.value, int):
                parts.append(_varint(field.value & _UNSIGNED))
                continue
            if field.wire == LENGTH:
                parts.append(_varint(len(field.value)))
            parts.append(field.value)
        return b"".join(parts)

    def parts(self, number: int) -> list[Content]:
        """Return the bytes of each field of a number: texts, bytes and messages."""
        return [
            field.value
            for field in self.fields
            if field.number == number and not isinstance(field.value, int)
        ]

    def part(self, number: int) -> Content:
        """Return the bytes of the last field of a number; empty without one."""
        return (self.parts(number) or [b""])[-1]

    def texts(self, number: int) -> list[str]:
        """Return the texts of a number."""
        return [decode_text(value) for value in self.parts(number)]

    def text(self, number: int) -> str:
        """Return the last text of a number; empty without one."""
        return decode_text(self.part(number))

    def integer(self, number: int, default: int = 0) -> int:
        """Return the last signed number of a field number."""
        found = [f.value for f in self.fields if f.number == number and isinstance(f.value, int)]
        if not found:
            return default
        return found[-1] - (1 << 64) if found[-1] >> 63 else found[-1]

    def put(self, number: int, values: Sequence[int | Content | str]) -> None:
        """Replace all fields of a number, at the place of the first."""
        places = [index for index, field in enumerate(self.fields) if field.number == number]
        place = places[0] if places else len(self.fields)
        kept = [
            [f for f in part if f.number != number] for part in (self.fields[:place], self.fields[place:])
        ]
        self.fields = [*kept[0], *(_field(number, value) for value in values), *kept[1]]


def decode_text(value: Content) -> str:
    """Return a text; bytes that are not UTF-8 are kept by surrogates."""
    return bytes(value).decode("utf-8", "surrogateescape")


def _field(number: int, value: int | Content | str) -> Field:
    if isinstance(value, int):
        return Field(number, VARINT, value)
    return Field(
        number, LENGTH, value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    )


def _fields(content: memoryview) -> Iterator[Field]:
    place, size = 0, len(content)
    while place < size:
        key, place = _read_varint(content, place)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, place = _read_varint(content, place)
            yield Field(number, wire, value)
            continue
        if wire == LENGTH:
            length, place = _read_varint(content, place)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {place}")
        if length > size - place:
            raise ValueError(f"the field at byte {place} exceeds the message")
        yield Field(number, wire, content[place : place + length])
        place += length


def _read_varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _LONGEST_VARINT, 7):
        if place >= len(content):
            raise ValueError("a number exceeds the message")
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UNSIGNED, place
    raise ValueError(f"the number at byte {place} has more than 64 bits")


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
