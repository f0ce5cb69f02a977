"""The provisioning file: what is written is read; half-written and damaged ones are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.provisioning.document import parse_provision, provision_bytes, read_provision
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.redaction import shown_provision
from tests.provisioning.desk import CAMERA_SECRET, SECRET, made


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("desk")
    row = f"gate-1,rtsp://u:{CAMERA_SECRET}@10.0.0.7/1,gate-1,{SECRET}"
    (one,) = made(folder, row, header="device,cameras,username,password", broker="broker.local")
    return provision_bytes(one.provision)


def refusal(content: bytes) -> str:
    with pytest.raises(ProvisioningError) as caught:
        parse_provision(content, "gate-1.edgeagent")
    text = str(caught.value)
    assert text.startswith("gate-1.edgeagent: ")
    assert SECRET not in text
    assert CAMERA_SECRET not in text
    return text


def test_what_was_written_is_read(content: bytes) -> None:
    provision = parse_provision(content, "x")
    assert provision_bytes(provision) == content
    assert provision.device == "gate-1"
    assert provision.files["mqtt-password"].text == f"{SECRET}\n"


def test_a_half_written_file_is_named_at_every_length(content: bytes) -> None:
    for length in range(len(content)):
        text = refusal(content[:length])
        assert "is incomplete" in text, (length, text)
        assert "copy it again" in text


@given(st.data())
def test_a_changed_byte_is_noticed(content: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != content[place]))
    refusal(content[:place] + bytes([value]) + content[place + 1 :])


def test_zeros_of_a_power_cut_and_appended_bytes_are_damage(content: bytes) -> None:
    half = len(content) // 2
    assert "is damaged" in refusal(content[:half] + bytes(len(content) - half))
    assert "is damaged" in refusal(content + b"\n")
    assert "no provisioning file" in refusal(bytes(len(content)) + b"\n")
    assert "no provisioning file" in refusal(b"cameras: []\n")


def test_a_newer_format_asks_for_a_newer_program(content: bytes) -> None:
    newer = content.replace(b"edgeagent provisioning 1 ", b"edgeagent provisioning 2 ", 1)
    assert "install a newer edgeagent" in refusal(newer)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    pulled = tmp_path / "gate-1.edgeagent"
    pulled.symlink_to(
        "/proc/self/mem"
    )  # opens, and gives an input/output error, as a stick that is pulled out
    with pytest.raises(ProvisioningError, match=r"Input/output error.*pulled out.*is as it was"):
        read_provision(pulled)


def test_nothing_secret_is_shown(content: bytes) -> None:
    shown = shown_provision(parse_provision(content, "x"))
    assert SECRET not in repr(shown)
    assert CAMERA_SECRET not in repr(shown)
    assert shown["files"] == {"mqtt-password": "secret"}
    assert shown["configuration"]["cameras"][0]["source"] == "rtsp://***@10.0.0.7/1"
