"""Unknown fields of a newer version survive a round trip through this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.manifest_text import manifest_text
from edgeagent.bundle.reading import parse_manifest
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from tests.bundle.tiny import build

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False)
    | TEXT
    | st.sampled_from(
        ["2024-01-01", "1e5", "0x10", "12:30:00", "no", "~", "<<", "=", "&a", "*a", "!t", "- a"]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
# a prefix distinguishes them from known fields
EXTRA = st.dictionaries(TEXT.map(lambda key: f"x-{key}"), VALUES, max_size=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return build(tmp_path_factory.mktemp("round") / "tiny").manifest.model_dump(mode="json")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=EXTRA, section=EXTRA, artefact=EXTRA, recipe=EXTRA, golden=EXTRA)
def test_unknown_fields_survive(
    data: dict[str, Any],
    top: dict[str, Any],
    section: dict[str, Any],
    artefact: dict[str, Any],
    recipe: dict[str, Any],
    golden: dict[str, Any],
) -> None:
    given_fields = {
        **data,
        **top,
        "input": {**data["input"], **section},
        "artefacts": [{**data["artefacts"][0], **artefact}],
        "golden": {**data["golden"], **golden},
        "evidence": {"recipe": recipe},
    }
    manifest = Manifest.model_validate(given_fields)
    again = parse_manifest(manifest_text(manifest).encode(), "m")
    assert again == manifest
    assert again.model_extra == top
    assert again.input.model_extra == section
    assert again.artefacts[0].model_extra == artefact
    assert again.golden is not None
    assert again.golden.model_extra == golden
    assert again.evidence.recipe == recipe
    assert manifest_text(again) == manifest_text(manifest)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | TEXT.map(str.encode)
    | st.text(st.sampled_from("a1:-[]{}&*!|>'\"#%@`,? \n\t"), max_size=40).map(str.encode)
)
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    try:
        parse(content)
    except YamlMistakeError as error:
        assert error.line >= 1


def test_stray_names_of_the_file_do_not_matter(tmp_path: Path) -> None:
    text = manifest_text(build(tmp_path / "tiny").manifest)
    assert parse_manifest(b"\xef\xbb\xbf" + text.encode(), "with a byte order mark").name == "tiny"
    assert parse_manifest(text.replace("\n", "\r\n").encode(), "from Windows").name == "tiny"
