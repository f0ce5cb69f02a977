from __future__ import annotations

import pytest

from edgeagent.files.strict_yaml import YamlMistakeError, parse


def test_keys_that_are_numbers_become_text_where_they_are_allowed() -> None:
    content = b"names:\n  0: person\n  01: car\n  a: b\n"
    document = parse(content, number_keys=True)
    assert document.data == {"names": {"0": "person", "1": "car", "a": "b"}}
    assert document.lines[("names", "1")] == 3
    with pytest.raises(YamlMistakeError, match="a key must be text; quote it"):
        parse(content)


@pytest.mark.parametrize("key", ["1.5", "true", "null", "[a]"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(YamlMistakeError, match="a key must be text"):
        parse(f"{key}: a".encode(), number_keys=True)


def test_the_same_number_twice_is_a_duplicate() -> None:
    assert parse(b"0: a\n'0': b\n", number_keys=True).duplicates == [(2, ("0",))]
