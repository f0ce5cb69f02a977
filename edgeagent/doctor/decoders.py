"""Check of the decoders: what this board has, what software costs on it, and what was chosen."""

from __future__ import annotations

import cv2

from edgeagent.camera.decoder_sample import codec_of
from edgeagent.camera.decoder_trial import decode_sample
from edgeagent.camera.decoders import SOFTWARE, possible_decoders
from edgeagent.daemon.decoder_choice import FILE, KeptChoice, describe_decoded, read_choices
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.errors import CameraError
from edgeagent.files.resources import sample_clip

CODEC = "h264"


def check_decoders(system: ExaminedSystem) -> list[Finding]:
    """Name the decoders that can be tried, and the decoder of each camera."""
    findings = [_software()] if system.live else []
    for candidate, obstacle in possible_decoders(CODEC, system.root):
        about = f"decoder {candidate.name}"
        if obstacle is None:
            findings.append(Finding(about, "ok", "can be tried (camera option decoder: auto)"))
        elif not obstacle.startswith("no /dev"):  # its device is here
            findings.append(Finding(about, "warning", obstacle, "see docs/operations.md, Decoders"))
    if not any(found.about != f"decoder {SOFTWARE.name}" for found in findings):
        findings.append(Finding("hardware decoders", "not there", "no device of a decoder that is known"))
    if system.settings is None:
        return findings
    kept = read_choices(system.state_folder / FILE) if system.live else {}
    for camera in system.settings.cameras:
        choice = kept.get(camera.name)
        if camera.decoder != "software" and choice is not None:
            findings.append(_chosen(camera.name, choice))
    return findings


def _software() -> Finding:
    """Measure the software on the included clip."""
    about, clip = f"decoder {SOFTWARE.name}", sample_clip()
    if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
        return Finding(about, "problem", "this OpenCV has no FFmpeg", "install opencv-python-headless")
    try:
        found = decode_sample(clip, CODEC, SOFTWARE, most=50)
    except CameraError as error:
        return Finding(about, "problem", f"the included clip cannot be decoded: {error}")
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    codec = codec_of(capture)
    capture.release()
    width, height = found.size
    return Finding(about, "ok", f"FFmpeg, {codec} {width}x{height}: {describe_decoded(found)}")


def _chosen(camera: str, choice: KeptChoice) -> Finding:
    others = "; ".join(f"{name}: {text}" for name, text in choice.results.items() if name != choice.decoder)
    stream = f"{choice.codec} {choice.size[0]}x{choice.size[1]}"
    text = f"{choice.decoder} decodes {stream}: {choice.results.get(choice.decoder, 'not measured')}"
    return Finding(f"decoder of camera {camera}", "ok", f"{text} ({others})" if others else text)
