"""Choice of the decoder of a network camera, by trying, and the file ``decoders.json`` that keeps it.

::

    kept for this source and this OpenCV? --yes--> it
        | no
        v
    sample of the stream -> software -> each candidate that the board may have, one at a time
        START in the journal -> trial in a process of its own -> END or ERROR
    the one that is right and takes least processor time; software, where none saves enough

A candidate whose trial took the machine down is not tried again (:mod:`edgeagent.detection.journal`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2

from edgeagent.camera.decoder_sample import StreamSample, record_sample
from edgeagent.camera.decoder_trial import Decoded, check_decoded, try_decoder
from edgeagent.camera.decoders import SOFTWARE, DecoderCandidate, find_decoder, possible_decoders
from edgeagent.camera.sources import ChosenDecoder
from edgeagent.detection.journal import Journal
from edgeagent.errors import CameraError, EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.settings.sections.camera import CameraSettings

logger = logging.getLogger(__name__)

FILE = "decoders.json"
"""Name of the file in the state folder."""
SAVES = 0.8
"""Share of the processor time of the software that a decoder may take to be used."""
SLOWEST_MS = 40.0
"""Time for a frame that a decoder may take, or that of the software if it is longer."""

Candidates = Callable[[str], Iterator[tuple[DecoderCandidate, str | None]]]


@dataclass(frozen=True)
class KeptChoice:
    """Result of the trials of one camera.

    Attributes:
        source: fingerprint of its address.
        opencv: version of OpenCV.
        wanted: ``decoder`` of its settings.
        codec: of the stream.
        size: (width, height) in pixels.
        decoder: that was chosen.
        results: what each trial gave, in words, by decoder.
        cpu_ms: processor time for a frame in ms, by decoder that was right.
    """

    source: str
    opencv: str
    wanted: str
    codec: str
    size: tuple[int, int]
    decoder: str
    results: dict[str, str] = field(default_factory=dict)
    cpu_ms: dict[str, float] = field(default_factory=dict)


class DecoderChoice:
    """Chooser of decoders; thread-safe, one camera at a time.

    Args:
        state: state folder.
        journal: of trials; None tries nothing, as a machine that goes down would go down at every start.
        candidates: returns the candidates for a codec.
    """

    def __init__(
        self, state: Path, journal: Journal | None, candidates: Candidates = possible_decoders
    ) -> None:
        self._path, self._journal, self._candidates = state / FILE, journal, candidates
        self._lock = threading.Lock()

    def choose(self, camera: CameraSettings) -> ChosenDecoder | None:
        """Return the decoder of a camera with the codec that it is for; None for the software.

        Tries candidates where nothing is kept; that takes :data:`~edgeagent.camera.decoder_trial.TRIAL_S`
        for each at most. Whatever fails, the software decodes.
        """
        if camera.decoder == "software" or not camera.source.lower().startswith(("rtsp:", "rtsps:")):
            return None
        with self._lock:
            kept = read_choices(self._path)
            choice = kept.get(camera.name)
            if choice is None or not _fits(choice, camera):
                try:
                    choice = self._try_all(camera)
                except EdgeagentError as error:
                    logger.warning("camera %s: decoders cannot be tried: %s", camera.name, error)
                    return None
                self._keep({**kept, camera.name: choice})
        return None if choice.decoder == SOFTWARE.name else (find_decoder(choice.decoder), choice.codec)

    def _try_all(self, camera: CameraSettings) -> KeptChoice:
        with tempfile.TemporaryDirectory(prefix="edgeagent-decoder-") as folder:
            path = Path(folder) / "sample"
            sample = record_sample(camera.source, path, camera.open_timeout + camera.read_timeout)
            right = try_decoder(sample, SOFTWARE)
            results, cpu_ms = {SOFTWARE.name: describe_decoded(right)}, {SOFTWARE.name: right.cpu_ms}
            for candidate, obstacle in self._candidates(sample.codec):
                if camera.decoder not in ("auto", candidate.name):
                    continue
                results[candidate.name] = obstacle or self._try(sample, candidate, right, cpu_ms)
        useful = {name: ms for name, ms in cpu_ms.items() if ms <= SAVES * right.cpu_ms}
        chosen = min(useful, key=lambda name: useful[name], default=SOFTWARE.name)
        told = "; ".join(f"{name}: {text}" for name, text in results.items())
        logger.info("camera %s: %s decodes %s (%s)", camera.name, chosen, sample.codec, told)
        return KeptChoice(
            source=_fingerprint(camera.source),
            opencv=cv2.__version__,
            wanted=camera.decoder,
            codec=sample.codec,
            size=sample.size,
            decoder=chosen,
            results=results,
            cpu_ms={name: round(ms, 3) for name, ms in cpu_ms.items()},
        )

    def _try(
        self, sample: StreamSample, candidate: DecoderCandidate, right: Decoded, cpu_ms: dict[str, float]
    ) -> str:
        """Try a candidate; return what came of it, and note its processor time if it is right."""
        width, height = sample.size
        key = f"decoder {candidate.name} {sample.codec} {width}x{height} opencv {cv2.__version__}"
        journal = self._journal
        if journal is None:
            return "not tried: the journal of trials cannot be written"
        if journal.took_down(key):
            return "not tried: the machine went down during its last trial"
        journal.write("start", key)
        try:
            found = try_decoder(sample, candidate)
            wrong = check_decoded(found, right)
        except CameraError as error:
            journal.write("error", key, str(error))
            return str(error)
        if wrong is None and found.ms > max(SLOWEST_MS, right.ms):
            wrong = f"it takes {found.ms:.0f} ms for a frame"
        if wrong is not None:
            journal.write("error", key, wrong)
            return wrong
        journal.write("end", key)
        cpu_ms[candidate.name] = found.cpu_ms
        return describe_decoded(found)

    def _keep(self, choices: dict[str, KeptChoice]) -> None:
        try:
            content = {name: asdict(choice) for name, choice in choices.items()}
            write_state(self._path, json.dumps(content, indent=1).encode())
        except (EdgeagentError, OSError) as error:
            logger.warning("%s: the choice of decoders is not kept (%s)", self._path, error)


def read_choices(path: Path) -> dict[str, KeptChoice]:
    """Return what is kept, by camera; nothing where the file is missing or damaged."""
    try:
        return read_json(path, dict[str, KeptChoice])
    except FileNotFoundError:
        return {}
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: decoders are tried again (%s)", path, error)
        return {}


def describe_decoded(found: Decoded) -> str:
    """Return what a decoder takes, in words."""
    return f"{found.ms:.1f} ms for a frame, {found.cpu_ms:.1f} ms of a processor"


def _fits(kept: KeptChoice, camera: CameraSettings) -> bool:
    now = (_fingerprint(camera.source), cv2.__version__, camera.decoder)
    return now == (kept.source, kept.opencv, kept.wanted)


def _fingerprint(source: str) -> str:
    """Return what tells addresses apart, and keeps their passwords."""
    return hashlib.sha256(source.encode(errors="replace")).hexdigest()[:16]
