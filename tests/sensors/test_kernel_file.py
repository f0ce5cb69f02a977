from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeagent.sensors.kernel_file import find_files, read_number, read_text
from tests.sensors.tree import make_unreadable


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"4984\n", 4984),
        (b"-256000\n", -256000),
        (b"32760 ma\n", 32760),
        (b"0\n", 0),
        (b"", None),
        (b"\n", None),
        (b"n/a\n", None),
        (b"1_000\n", None),
        ("\u0661\u0662\n".encode(), None),  # digits elsewhere
        (b"\xff\xfe4\n", None),
        (b"4.5\n", None),
    ],
)
def test_a_leading_number_or_none(tmp_path: Path, content: bytes, number: int | None) -> None:
    path = tmp_path / "in1_input"
    path.write_bytes(content)
    assert read_number(path) == number


@given(content=st.binary(max_size=9000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_number_or_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_number(path) is None or isinstance(read_number(path), int)


def test_hexadecimal(tmp_path: Path) -> None:
    (tmp_path / "get_throttled").write_text("50005\n", encoding="ascii")
    assert read_number(tmp_path / "get_throttled", 16) == 0x50005


def test_text_ends_before_its_nul(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert read_text(tmp_path / "model") == "Raspberry Pi 5 Model B Rev 1.0"


def test_unreadable_files_give_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "file"
    file.touch()
    make_unreadable(file)
    for path in (tmp_path / "folder", file, tmp_path / "missing", tmp_path / "missing" / "below"):
        assert (read_text(path), read_number(path)) == (None, None)


def test_paths_are_sorted_and_empty_for_a_missing_folder(tmp_path: Path) -> None:
    for name in ("hwmon2", "hwmon0"):
        (tmp_path / name).mkdir()
    assert [path.name for path in find_files(tmp_path, "hwmon*")] == ["hwmon0", "hwmon2"]
    assert find_files(tmp_path / "missing", "hwmon*") == []


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 400, str(1 << 64), "9" * 5000])
def test_a_number_that_no_counter_has(tmp_path: Path, text: str) -> None:
    """Larger numbers would overflow where a float is made of them."""
    (tmp_path / "temp").write_text(text, encoding="ascii")
    assert read_number(tmp_path / "temp") is None


def test_the_largest_number(tmp_path: Path) -> None:
    (tmp_path / "temp").write_text(str((1 << 64) - 1), encoding="ascii")
    assert read_number(tmp_path / "temp") == (1 << 64) - 1
