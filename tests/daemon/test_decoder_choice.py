"""Choice of a decoder: tried once, compared with the software, kept, and never at the cost of detection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.camera.decoder_sample import StreamSample, record_sample
from edgeagent.camera.decoder_trial import Decoded, decode_sample, try_decoder
from edgeagent.camera.decoders import SOFTWARE, DecoderCandidate, find_decoder
from edgeagent.daemon import decoder_choice
from edgeagent.daemon.decoder_choice import FILE, DecoderChoice, read_choices
from edgeagent.detection.journal import Journal
from edgeagent.errors import CameraError
from edgeagent.files.resources import sample_clip
from edgeagent.settings.sections.camera import CameraSettings

CAMERA = CameraSettings(name="yard", source="rtsp://viewer:secret@10.0.0.7/s", decoder="auto")
ABSENT, NAMED = find_decoder("vaapi"), DecoderCandidate("v4l2m2m", "codec", "{codec}")
"""Hardware that is not there, and FFmpeg's own decoder, asked for as those of hardware are."""


class Bench:
    """A board with candidates, whose trials are counted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.journal = folder, Journal(folder / "trials.journal", "boot 1")
        self.tried: list[str] = []
        self.cpu_ms = 0.0
        monkeypatch.setattr(decoder_choice, "record_sample", self._record)
        monkeypatch.setattr(decoder_choice, "try_decoder", self._try)

    def choose(self, camera: CameraSettings = CAMERA, journal: Journal | None = None) -> str | None:
        choice = DecoderChoice(self.folder, journal or self.journal, self._candidates)
        chosen = choice.choose(camera)
        return None if chosen is None else chosen[0].name

    def _candidates(self, codec: str) -> Iterator[tuple[DecoderCandidate, str | None]]:
        yield find_decoder("nvdec"), "no /dev/nvidia0"
        yield ABSENT, None
        yield NAMED, None

    def _record(self, target: str, path: Path, timeout_s: float) -> StreamSample:
        assert target == CAMERA.source
        return record_sample(str(sample_clip()), path, timeout_s, packets=10)

    def _try(self, sample: StreamSample, candidate: DecoderCandidate) -> Decoded:
        self.tried.append(candidate.name)
        if candidate is not NAMED:
            return try_decoder(sample, candidate)
        found = decode_sample(sample.path, sample.codec, candidate)
        return Decoded(found.frames, found.size, found.ms, self.cpu_ms, found.pictures)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_what_is_right_and_cheaper_is_used_and_kept(bench: Bench) -> None:
    assert bench.choose() == "v4l2m2m"
    assert bench.tried == ["software", "vaapi", "v4l2m2m"]
    kept = read_choices(bench.folder / FILE)["yard"]
    assert (kept.codec, kept.size, kept.decoder) == ("h264", (768, 576), "v4l2m2m")
    assert kept.results["nvdec"] == "no /dev/nvidia0"
    assert kept.results["vaapi"] == "OpenCV cannot open it"
    assert kept.results["v4l2m2m"].endswith("0.0 ms of a processor")
    assert "secret" not in (bench.folder / FILE).read_text()
    assert bench.choose() == "v4l2m2m"
    assert len(bench.tried) == 3, "nothing is tried twice"
    other = CAMERA.model_copy(update={"decoder": "vaapi"})
    assert bench.choose(other) is None
    assert bench.tried[3:] == ["software", "vaapi"], "another wish is tried anew, and alone"


def test_what_saves_nothing_is_not_used(bench: Bench) -> None:
    bench.cpu_ms = 1e6
    assert bench.choose() is None
    assert read_choices(bench.folder / FILE)["yard"].decoder == "software"


def test_a_decoder_that_took_the_machine_down_is_not_tried_again(bench: Bench, tmp_path: Path) -> None:
    class PowerCut(BaseException):
        pass

    def down(sample: StreamSample, candidate: DecoderCandidate) -> Decoded:
        if candidate is NAMED:
            raise PowerCut
        return bench._try(sample, candidate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder_choice, "try_decoder", down)
        with pytest.raises(PowerCut):
            bench.choose()
    later = Journal(tmp_path / "trials.journal", "boot 2")
    assert bench.choose(journal=later) is None
    assert read_choices(bench.folder / FILE)["yard"].results["v4l2m2m"] == (
        "not tried: the machine went down during its last trial"
    )


def test_without_a_journal_no_hardware_is_tried(bench: Bench) -> None:
    choice = DecoderChoice(bench.folder, None, bench._candidates)
    assert choice.choose(CAMERA) is None
    assert bench.tried == ["software"]


def test_a_stream_that_gives_no_sample_is_decoded_by_software(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(target: str, path: Path, timeout_s: float) -> StreamSample:
        raise CameraError("the stream cannot be opened a second time, to try decoders on it")

    monkeypatch.setattr(decoder_choice, "record_sample", refuse)
    with caplog.at_level(logging.WARNING):
        assert bench.choose() is None
    assert "decoders cannot be tried" in caplog.text
    assert read_choices(bench.folder / FILE) == {}, "the next start tries again"


def test_a_damaged_file_is_tried_again(bench: Bench) -> None:
    (bench.folder / FILE).write_text('{"yard": {"decoder": 3}}')
    assert bench.choose() == "v4l2m2m"


@pytest.mark.parametrize(
    "changed", [{"decoder": "software"}, {"source": "/dev/video0"}, {"source": "clip.mp4"}]
)
def test_only_streams_that_ask_for_it_are_tried(bench: Bench, changed: dict[str, str]) -> None:
    assert bench.choose(CAMERA.model_copy(update=changed)) is None
    assert bench.tried == []


def test_the_software_is_what_others_are_compared_with() -> None:
    assert SOFTWARE.way == "software"
