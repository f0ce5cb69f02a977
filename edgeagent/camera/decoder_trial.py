"""Trial of a decoder on a sample of a stream, in a process of its own with a deadline.

::

    sample -> software decoder -> small grey pictures, ms and processor ms for a frame
           -> candidate        -> the same ------------------------------> compared: as right, and cheaper?

A driver may crash, hang or give pictures that are shifted or grey; none of that reaches the agent.
``python -m edgeagent.camera.decoder_trial FILE CODEC NAME`` is the process; it prints one line of JSON.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgeagent.camera.decoder_sample import StreamSample
from edgeagent.camera.decoders import DecoderCandidate, find_decoder, opening
from edgeagent.camera.opencv import open_capture
from edgeagent.errors import CameraError
from edgeagent.files.state_json import DamagedJsonError, parse_json

SMALL = (32, 18)
"""Width and height of the pictures that are compared."""
LEAST_FRAMES = 0.8
"""Share of the frames of the software that a decoder must give: some keep the last ones."""
LARGEST_DIFFERENCE = 3.0
"""Mean difference of a picture, in grey levels, that rounding and another conversion of colours can make."""
PROCESS = ("-m", "edgeagent.camera.decoder_trial")
"""Arguments of Python for the process of a trial."""
TRIAL_S = 30.0
"""Longest trial of one decoder, in seconds."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of a sample.

    Attributes:
        frames: number of pictures.
        size: (width, height) of the pictures.
        ms: time for a frame in ms, from the second on.
        cpu_ms: processor time of all threads for a frame in ms.
        pictures: small grey pictures (frames, 18, 32) uint8, in base 64.
    """

    frames: int
    size: tuple[int, int]
    ms: float
    cpu_ms: float
    pictures: str


def decode_sample(path: Path, codec: str, candidate: DecoderCandidate, most: int = 10_000) -> Decoded:
    """Decode a file with a decoder, in this process.

    Args:
        path: of the file.
        codec: of its stream.
        candidate: the decoder.
        most: pictures at most.

    Raises:
        CameraError: it gives no picture.
    """
    way = opening(candidate, str(path), codec)
    capture = open_capture(way)
    if capture is None:
        raise CameraError("OpenCV cannot open it")
    small: list[cv2.typing.MatLike] = []
    size, begun, cpu = (0, 0), time.monotonic(), time.process_time()
    while len(small) < most:
        ok, image = capture.read()
        if not ok:
            break
        if not small:
            size, begun, cpu = (image.shape[1], image.shape[0]), time.monotonic(), time.process_time()
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        small.append(cv2.resize(grey, SMALL, interpolation=cv2.INTER_AREA))
    took, spent, later = time.monotonic() - begun, time.process_time() - cpu, max(1, len(small) - 1)
    capture.release()
    if not small:
        raise CameraError("it gives no picture")
    pictures = base64.b64encode(np.stack(small).astype(np.uint8).tobytes()).decode()
    return Decoded(len(small), size, 1e3 * took / later, 1e3 * spent / later, pictures)


def try_decoder(sample: StreamSample, candidate: DecoderCandidate, timeout_s: float = TRIAL_S) -> Decoded:
    """Decode a sample in another process.

    Raises:
        CameraError: the decoder crashes, hangs or gives no picture.
    """
    command = [sys.executable, *PROCESS, str(sample.path), sample.codec, candidate.name]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise CameraError(f"it hangs: no end after {timeout_s:g} s") from None
    if ended.returncode < 0:
        raise CameraError(f"its process crashed with signal {-ended.returncode}")
    lines = ended.stdout.decode(errors="replace").splitlines()
    try:
        answer = parse_json(lines[-1], dict[str, Any])
        if "error" in answer:
            raise CameraError(str(answer["error"]))
        return parse_json(lines[-1], Decoded)
    except (IndexError, DamagedJsonError) as error:
        raise CameraError(f"its process ended with {ended.returncode} and no answer") from error


def check_decoded(found: Decoded, right: Decoded) -> str | None:
    """Return what is wrong with the pictures of a decoder; None where they are as those of the software.

    Args:
        found: of the decoder.
        right: of the software.
    """
    if found.size != right.size:
        return f"its pictures are {found.size[0]} x {found.size[1]}, not {right.size[0]} x {right.size[1]}"
    if found.frames < LEAST_FRAMES * right.frames:
        return f"it gives {found.frames} of {right.frames} pictures"
    one, other = _pictures(found), _pictures(right)
    count = min(len(one), len(other))
    worst = float(np.abs(one[:count] - other[:count]).mean(axis=(1, 2)).max())
    if worst > LARGEST_DIFFERENCE:
        return f"a picture differs by {worst:.1f} grey levels"
    return None


def _pictures(decoded: Decoded) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    flat = np.frombuffer(base64.b64decode(decoded.pictures), np.uint8)
    return flat.reshape(-1, SMALL[1], SMALL[0]).astype(np.int16)


def main(arguments: list[str]) -> None:
    """Decode the sample that is named, and print the result."""
    path, codec, name = arguments
    try:
        answer: dict[str, object] = asdict(decode_sample(Path(path), codec, find_decoder(name)))
    except CameraError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
