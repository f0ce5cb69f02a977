"""End of a clip for which the disk has no room any more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.errors import EdgeagentError
from edgeagent.events.clip_file import ClipFile
from edgeagent.events.retained_files import Bounds, RetainedFiles
from tests.camera.packets import Feed, write_stream


def test_a_clip_whose_index_has_no_room_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("av")
    ring, room = PacketRing(60.0, 10**7), [10**9]
    Feed(write_stream(tmp_path / "stream.mp4", 30, (128, 96)), ring).until(2.0)
    folder = tmp_path / "clips"
    files = RetainedFiles(folder, re.compile(r"\d\.mp4"), Bounds(1e6, 10**6, 1), free=lambda _: room[0])
    found = ring.beginning(0.0)
    assert found is not None
    new = ring.after(found[0], found[1] - 1)
    assert new.format is not None
    clip = ClipFile(files.begin("yard/1.mp4"), new.format)
    for packet in new.packets:
        clip.add(packet)
    room[0] = 0
    with pytest.raises(EdgeagentError, match="would not be free"):
        clip.finish()
    assert not list((folder / "yard").iterdir())
    room[0] = 10**9
    files.write("yard/2.mp4", bytes(10**6))  # its bytes are no longer counted
