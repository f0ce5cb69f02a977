"""The quick parser of files that a program wrote gives what the other one gives, mistakes included."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.files.strict_yaml import YamlMistakeError, parse

MODELS = Path(__file__).parents[2] / "models"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)

PIECES = (
    r"a: ;b: ;- ;? ;\n;\n  ;\t;\r;[;];{;};,;:;';\";&x ;*x;!t ;|;>;-;+;1;#c; # c;%YAML 1.1\n;---;\n...\n;\\n;"
    r"~;\ufeff;\x85;\u2028;\x07;1e3;yes;<<: ;=;@"
)
WRITTEN = st.lists(st.sampled_from(PIECES.encode().decode("unicode_escape").split(";")), max_size=12).map(
    "".join
)


def result(content: bytes, quick: bool) -> tuple[object, ...]:
    try:
        document = parse(content, quick=quick)
    except YamlMistakeError as error:
        return error.line, str(error)
    return document.data, document.lines, document.duplicates


def test_libyaml_is_there() -> None:
    assert yaml.__with_libyaml__


@pytest.mark.parametrize(
    "manifest", sorted(MODELS.glob("*/manifest.yaml")), ids=lambda path: path.parent.name
)
def test_manifests_of_included_bundles(manifest: Path) -> None:
    content = manifest.read_bytes()
    assert result(content, quick=True) == result(content, quick=False)


@given(VALUES)
def test_what_a_program_writes(data: object) -> None:
    content = yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass")
    assert result(content, quick=True) == result(content, quick=False)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: &x 1\nb: *x\n",
        "a: !!python/object:os.system 1\n",
        "a: [1, 2\n",
        "a: 1\n\tb: 2\n",
        "1: one\n",
        "a: 'open\n",
        "a: \x07\n",
        "[" * 70 + "]" * 70,
        "a: " + "9" * 70 + "\n",
        "--- 1\n--- 2\n",
        "",
        "a: 2026-01-01\nb: yes\nc: 0o17\n",
        "a: b\tc\n",
        "a: b\t# c\n",
        "a: |#c\n  b\n",
        "a: >-1#c\n",
        "\n\ufeffa: 1\n",
        "\ufeffa: 1\n",
        "a: b\u2028c\x85d\n",
    ],
)
def test_mistakes_are_worded_alike(text: str) -> None:
    assert result(text.encode(), quick=True) == result(text.encode(), quick=False)


@given(WRITTEN)
def test_both_parsers_agree_on_what_anybody_writes(text: str) -> None:
    """A publisher and a board may have different parsers: none may take what the other refuses."""
    content = text.encode()
    assert result(content, quick=True) == result(content, quick=False)
