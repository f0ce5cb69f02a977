from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from edgeagent.bundle.model_description import describe_model
from edgeagent.errors import BundleError, DataError
from tests.bundle.tiny import build

TEXT = """\
name: tiny
version: 1.2.3
task: detection
labels: [person, Straßenbahn]
input: {width: 64, height: 32, layout: nhwc, colour: bgr}
decoder:
  family: yolox
  strides: [8, 16]
licence: Apache-2.0
attribution: made by the tests
"""


def write(tmp_path: Path, text: str | bytes, name: str = "m.yaml") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def mistake(tmp_path: Path, text: str | bytes) -> str:
    """Return the error message about a description, without the file name."""
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        describe_model(tmp_path / "m.onnx")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_the_file_beside_the_model(tmp_path: Path) -> None:
    write(tmp_path, TEXT)
    description = describe_model(tmp_path / "m.onnx")
    assert (description.name, description.labels) == ("tiny", ("person", "Straßenbahn"))
    assert (description.input.width, description.decoder.strides) == (64, (8, 16))
    assert description.input.std == (1.0, 1.0, 1.0)


def test_a_file_that_is_named_comes_before_the_one_beside(tmp_path: Path) -> None:
    write(tmp_path, TEXT)
    other = write(tmp_path, TEXT.replace("name: tiny", "name: other"), "other.yaml")
    assert describe_model(tmp_path / "m.onnx", other).name == "other"


def test_the_description_of_the_project_is_right() -> None:
    models = Path(__file__).parents[2] / "models"
    description = describe_model(models / "yolox-nano.onnx")
    assert (description.decoder.family, len(description.labels)) == ("yolox", 80)


def test_a_bundle_describes_a_model_like_it(tmp_path: Path) -> None:
    bundle = build(tmp_path / "tiny", attribution="somebody")
    description = describe_model(tmp_path / "m.onnx", like=bundle.directory)
    assert description.attribution == "somebody"
    assert description.decoder == bundle.manifest.decoder
    assert description.input == bundle.manifest.input


def test_a_damaged_bundle_describes_nothing(tmp_path: Path) -> None:
    bundle = build(tmp_path / "tiny")
    (bundle.directory / "engines/tiny.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="copy the bundle again"):
        describe_model(tmp_path / "m.onnx", like=bundle.directory)
    with pytest.raises(BundleError, match="no such bundle directory"):
        describe_model(tmp_path / "m.onnx", like=tmp_path / "absent")


def test_an_included_bundle_is_named(tmp_path: Path) -> None:
    assert describe_model(tmp_path / "m.onnx", like=Path("coco-small")).name == "coco-small"


def test_no_description(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        describe_model(tmp_path / "m.onnx")
    assert str(caught.value) == (
        f"{tmp_path / 'm.yaml'}: no description of the model m.onnx; let 'edgeagent qat describe' propose "
        "one, write one (models/yolox-nano.yaml is an example) or name a bundle like it with --like"
    )
    assert (Path(__file__).parents[2] / "models/yolox-nano.yaml").is_file()


def test_a_directory_is_no_description(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the description cannot be read \(Is a directory\)"):
        describe_model(tmp_path / "m.onnx", tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TEXT.replace("strides: [8, 16]", "strides: [8, 16"), "line 9: expected ',' or ']'"),
        (TEXT + "\tx: 1\n", "line 11: found character '\\t' that cannot start any token"),
        (TEXT + "labels: [a]\n", "line 11: the key 'labels' stands there twice"),
        (TEXT.replace("tiny", "&x tiny"), "line 1: anchors (&)"),
        (TEXT.encode() + b"# \xff\n", "line 11: not UTF-8 text (byte 0xff)"),
        ("", "line 1: Input should be an object"),
        ("- a\n", "line 1: Input should be an object"),
        (TEXT.replace("width: 64", "width: wide"), "line 5: input.width: Input should be a valid integer"),
        (TEXT.replace("width: 64", "width: 0"), "line 5: input.width: Input should be greater than 0"),
        (TEXT.replace("64, height: 32", "64"), "line 5: input.height: Field required"),
        (TEXT.replace("[8, 16]", "[8, x]"), "line 8: decoder.strides.1: Input should be a valid integer"),
        (
            TEXT.replace("yolox", "yolo99"),
            "line 7: decoder.family: Input should be 'yolox', 'yolov5', 'yolov8', 'rtmdet', ",
        ),
        (TEXT.replace("[person, Straßenbahn]", "person"), "line 4: labels: Input should be a valid array"),
        (TEXT.replace("Straßenbahn", "person"), "line 1: labels must be unique"),
        (TEXT.replace("version: 1.2.3", "version: 1.2"), "line 2: version: "),
        (TEXT.replace("licence: Apache-2.0\n", ""), "line 1: licence: Field required"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    assert mistake(tmp_path, text).startswith(sentence)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    write(odd, TEXT, os.fsdecode(b"\xff.yaml"))
    assert describe_model(odd / os.fsdecode(b"\xff.onnx")).name == "tiny"


def test_fields_that_are_not_known_are_kept(tmp_path: Path) -> None:
    write(tmp_path, TEXT + yaml.safe_dump({"future": {"a": 1}}))
    assert describe_model(tmp_path / "m.onnx").model_extra == {"future": {"a": 1}}


def test_a_bundle_gives_its_description_and_none_of_its_files() -> None:
    description = describe_model(Path("model.onnx"), like=Path("coco-nano"))
    assert description.labels[:2] == ("person", "bicycle")
    assert not description.model_dump().keys() & {"golden", "artefacts", "evidence", "minimum_agent_version"}
