"""File of a proposed description, as those in ``models/``."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from edgeagent.bundle.manifest import DecoderSpec, InputSpec, ModelDescription
from edgeagent.files.atomic import write_state

WIDTH = 108


def write_description(
    path: Path, description: ModelDescription, model: Path, remarks: tuple[str, ...], heads: tuple[str, ...]
) -> None:
    """Write a description as YAML.

    Args:
        path: file to write or replace.
        description: the description.
        model: file of the model, for the comment.
        remarks: sentences that are written as comments.
        heads: names of the heads, where they were given.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    write_state(path, description_text(description, model, remarks, heads).encode(), shared=True)


def description_text(
    description: ModelDescription, model: Path, remarks: tuple[str, ...], heads: tuple[str, ...] = ()
) -> str:
    """Return a description as YAML; arguments as :func:`write_description`."""
    head = f"Description of the float model {model.name}, proposed by edgeagent qat describe."
    lines = [line for remark in (head, *remarks) for line in _comment(remark)]
    lines += [
        f"name: {_quoted(description.name)}",
        f"version: {description.version}",
        f"task: {description.task}",
        *_input(description.input),
        *_decoder(description.decoder),
    ]
    if heads:
        lines += ["heads:", *(f"  - {_quoted(name)}" for name in heads)]
    lines += [
        f"licence: {description.licence}  # of the weights, as an SPDX expression",
        f"attribution: {description.attribution}  # origin of the weights",
        "labels:",
        *(f"  - {_quoted(label)}" for label in description.labels),
    ]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="#   ")


def _input(spec: InputSpec) -> list[str]:
    lines = ["input:", f"  width: {spec.width}", f"  height: {spec.height}", f"  layout: {spec.layout}"]
    lines.append(f"  colour: {spec.colour}")
    if any(spec.mean) or set(spec.std) != {1.0}:
        lines += [f"  mean: {_numbers(spec.mean)}", f"  std: {_numbers(spec.std)}"]
    letterbox = spec.letterbox
    placed = "null" if letterbox is None else f"{{anchor: {letterbox.anchor}, pad: {letterbox.pad}}}"
    return [*lines, f"  letterbox: {placed}"]


def _decoder(spec: DecoderSpec) -> list[str]:
    lines = ["decoder:", f"  family: {spec.family}", f"  strides: {list(spec.strides)}"]
    if spec.family == "yolov8":
        lines.append(f"  reg_max: {spec.reg_max}")
    if spec.family == "rtmdet":
        lines.append(f"  distances: {spec.distances}")
    lines.append(f"  boxes: {spec.boxes}")
    return [*lines, f"  nms: {spec.nms}"] if spec.nms != "per-class" else lines


def _numbers(values: tuple[float, float, float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in values)}]"


def _quoted(text: str) -> str:
    """Return a text as YAML reads it back: plain where it is a word, else in quotes."""
    words = text.replace(" ", "").replace("-", "").replace("_", "")
    plain = text[:1].isalpha() and words.isalnum() and words.isascii()
    known = text.lower() in ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
    return text if plain and not known and text == text.strip() else json.dumps(text)
