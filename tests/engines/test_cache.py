from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeagent.engines.cache import cache_key, with_cache
from edgeagent.engines.delegates import CACHE, find_delegates
from edgeagent.errors import EngineError
from tests.sensors.tree import unpack
from tests.small_disk import on_small_disk

OPTIONS = {"fast": "1", "engine_cache_enable": "1", "engine_cache_path": CACHE}


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    return path


def test_the_marker_becomes_a_folder(tmp_path: Path, artefact: Path) -> None:
    options = with_cache(OPTIONS, artefact, tmp_path / "cache")
    folder = tmp_path / "cache" / cache_key(artefact)
    assert options == {**OPTIONS, "engine_cache_path": str(folder)}
    assert str(artefact) in (folder / "made-for.txt").read_text(encoding="utf-8")
    assert with_cache(OPTIONS, artefact, tmp_path / "cache") == options


def test_without_a_cache_its_options_are_left_out(tmp_path: Path, artefact: Path) -> None:
    assert with_cache(OPTIONS, artefact, None) == {"fast": "1"}
    (tensorrt,) = find_delegates("onnxruntime-tensorrt")
    assert with_cache(tensorrt.options, artefact, None) == {"trt_int8_enable": "1", "trt_fp16_enable": "1"}


def test_options_without_a_cache_are_as_they_were(artefact: Path) -> None:
    assert with_cache({"device_type": "CPU"}, artefact, Path("/proc/nowhere")) == {"device_type": "CPU"}


def test_the_key_is_that_of_the_content(tmp_path: Path, artefact: Path) -> None:
    key = cache_key(artefact, tmp_path)
    assert len(key) == 32
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(artefact.read_bytes())
    assert cache_key(copy, tmp_path) == key
    copy.write_bytes(b"model.")
    assert cache_key(copy, tmp_path) != key


def test_the_key_is_that_of_the_board(tmp_path: Path, artefact: Path) -> None:
    keys = [
        cache_key(artefact, unpack(board, tmp_path / board))
        for board in ("jetson-orin-nano", "jetson-agx-orin", "raspberry-pi-5")
    ]
    assert len(set(keys)) == 3
    release = tmp_path / "jetson-orin-nano/etc/nv_tegra_release"
    release.write_text(release.read_text(encoding="ascii").replace("4.3", "4.4"), encoding="ascii")
    assert cache_key(artefact, tmp_path / "jetson-orin-nano") not in keys


def test_the_key_is_that_of_the_versions(
    tmp_path: Path, artefact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages as pip leaves them, on the path of this process."""
    keys = {cache_key(artefact, tmp_path)}
    for version in ("10.7.0", "10.9.0"):
        folder = tmp_path / version / f"tensorrt-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tensorrt\nVersion: {version}\n", encoding="ascii"
        )
        monkeypatch.syspath_prepend(folder.parent)
        keys.add(cache_key(artefact, tmp_path))
    assert len(keys) == 3


def test_a_folder_that_cannot_be(artefact: Path) -> None:
    with pytest.raises(EngineError) as caught:
        with_cache(OPTIONS, artefact, artefact)
    assert str(caught.value) == (
        f"{artefact / cache_key(artefact)}: the engine cache cannot be written (Not a directory); make room, "
        "or give a folder that this user may write"
    )


PROGRAM = """
import sys
from pathlib import Path
from edgeagent.errors import EngineError
from edgeagent.engines.cache import with_cache
from tests.engines.test_cache import OPTIONS
try:
    with_cache(OPTIONS, Path(sys.argv[1]), Path(sys.argv[2]))
except EngineError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("mount -o remount,ro $1", "Read-only file system"),
        ("dd if=/dev/zero of=$1/full 2>/dev/null || true", "No space left on device"),
    ],
)
def test_a_disk_that_takes_nothing(tmp_path: Path, artefact: Path, spoil: str, reason: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run = [sys.executable, "-c", PROGRAM, str(artefact), str(disk)]
    done = on_small_disk(disk, "64k", ["sh", "-euc", f'{spoil}; shift; exec "$@"', "sh", str(disk), *run])
    assert done.stderr == ""
    assert f"the engine cache cannot be written ({reason}); make room" in done.stdout
