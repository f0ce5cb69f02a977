"""Which of the files on a medium is this board's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.provisioning.applying import CONFIGURATION, ApplyOptions, apply_provision
from edgeagent.provisioning.document import SUFFIX, BoardFacts
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.identity import BoardIdentity, read_identity
from edgeagent.provisioning.sources import find_provision, search_provision
from edgeagent.settings.file import load_settings
from tests.provisioning.desk import board_tree, made, stick

HEADER = "device,cameras,serial,mac,machine_id"


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    rows = ("by-serial,0,1000BEEF", "by-mac,0,,D8-3A-DD-01-02-03", "by-id,0,,,3d1219c7", "named,0", "other,0")
    return stick(tmp_path / "stick", made(tmp_path, *rows, header=HEADER))


def found(medium: Path, identity: BoardIdentity) -> str:
    return find_provision(medium, identity).provision.device


@pytest.mark.parametrize(
    ("facts", "device"),
    [
        ({"serial": "1000beef"}, "by-serial"),
        ({"mac": "d8:3a:dd:01:02:03"}, "by-mac"),
        ({"machine_id": "3d1219c7"}, "by-id"),
        ({"host_name": "named"}, "named"),
        ({"host_name": "NAMED.example.org"}, "named"),
        ({"host_name": "named", "serial": "1000beef"}, "by-serial"),
    ],
)
def test_a_board_finds_its_file(tmp_path: Path, medium: Path, facts: dict[str, str], device: str) -> None:
    assert found(medium, read_identity(board_tree(tmp_path / "board", **facts))) == device


def test_a_board_that_no_file_is_for_is_told_its_facts(tmp_path: Path, medium: Path) -> None:
    identity = read_identity(board_tree(tmp_path / "board", serial="77", mac="d8:3a:dd:ff:ff:ff"))
    with pytest.raises(ProvisioningError, match="none of 5 provisioning files") as caught:
        found(medium, identity)
    for fact in ("host name board", "serial 77", "mac d83addffffff"):
        assert fact in str(caught.value)
    with pytest.raises(ProvisioningError, match=r"is for another board \(serial 1000BEEF\)"):
        find_provision(medium / f"by-serial{SUFFIX}", identity)
    assert (
        find_provision(medium / f"by-serial{SUFFIX}", identity, any_board=True).provision.device
        == "by-serial"
    )
    assert find_provision(medium / f"named{SUFFIX}", identity).provision.device == "named"


def test_the_only_file_is_for_any_board_unless_it_asks_for_another(tmp_path: Path) -> None:
    identity = BoardIdentity("board")
    assert found(stick(tmp_path / "one", made(tmp_path, "gate,0")), identity) == "gate"
    asking = stick(tmp_path / "two", made(tmp_path, "gate,0,77", header=HEADER))
    with pytest.raises(ProvisioningError, match="is for this board"):
        found(asking, identity)


def test_all_facts_that_a_file_asks_for_must_fit() -> None:
    identity = BoardIdentity("board", serials=frozenset({"1"}), macs=frozenset({"aa" * 6}))
    assert identity.fits(BoardFacts(serial="1", mac="AA:aa:aa:aa:aa:aa"))
    assert not identity.fits(BoardFacts(serial="1", mac="bb:bb:bb:bb:bb:bb"))
    assert not identity.fits(BoardFacts(serial="1", machine_id="x"))


def test_a_half_written_file_is_named_and_those_of_others_do_no_harm(
    tmp_path: Path, medium: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = medium / f"named{SUFFIX}"
    half.write_bytes(half.read_bytes()[:-10])
    assert found(medium, BoardIdentity("x", serials=frozenset({"1000beef"}))) == "by-serial"
    assert f"named{SUFFIX}: is incomplete" in caplog.text
    with pytest.raises(ProvisioningError, match=f"named{SUFFIX}: is incomplete"):
        found(medium, BoardIdentity("named"))


def test_a_medium_that_is_pulled_out(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match="was the medium pulled out"):
        find_provision(tmp_path / "gone", BoardIdentity("board"))
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / f"board{SUFFIX}").symlink_to("/proc/self/mem")  # opens, and gives an input/output error
    with pytest.raises(ProvisioningError, match=r"Input/output error.*was the medium pulled out"):
        find_provision(folder, BoardIdentity("board"))


def test_files_of_other_systems_and_other_names_are_ignored(tmp_path: Path, medium: Path) -> None:
    (medium / f"._named{SUFFIX}").write_bytes(b"\0\5\x16\7")
    (medium / "notes.txt").write_text("x", encoding="ascii")
    assert found(medium, BoardIdentity("named")) == "named"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ProvisioningError, match="no provisioning file"):
        found(empty, BoardIdentity("named"))


def test_search_looks_at_the_boot_partition_first(tmp_path: Path) -> None:
    root = board_tree(tmp_path / "root", "gate-1")
    identity = read_identity(root)
    with pytest.raises(ProvisioningError, match="boot/firmware"):
        search_provision(identity, root)
    stick(root / "media" / "anna" / "STICK", made(tmp_path, "other,0", "another,0"))
    with pytest.raises(ProvisioningError, match="none of 2"):
        search_provision(identity, root)
    stick(root / "media" / "EDGEAGENT" / "edgeagent", made(tmp_path, "gate-1,1"))
    assert search_provision(identity, root).path.parent.parent.name == "EDGEAGENT"
    stick(root / "boot" / "firmware", made(tmp_path, "gate-1,0"))
    assert search_provision(identity, root).path.parent.name == "firmware"


def test_one_stick_for_forty_boards(tmp_path: Path) -> None:
    rows = [f"gate-{n:02},rtsp://10.0.1.{n}/1,,d8:3a:dd:00:00:{n:02x}" for n in range(1, 41)]
    medium = stick(tmp_path / "stick", made(tmp_path, *rows, header=HEADER, broker="broker.local"))
    for n in range(40, 0, -1):
        board = board_tree(
            tmp_path / f"board-{n}", "image", mac=f"d8:3a:dd:00:00:{n:02x}"
        )  # one image: one name
        done = apply_provision(
            find_provision(medium, read_identity(board)), board / "etc/edgeagent", ApplyOptions()
        )
        assert done.source == "removed"
        settings = load_settings(board / "etc/edgeagent" / CONFIGURATION)
        assert (settings.device, settings.cameras[0].source) == (f"gate-{n:02}", f"rtsp://10.0.1.{n}/1")
    assert not list(medium.iterdir())
