"""From a table to provisioning files: every mistake with its line, and no file where one row is wrong."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.files.strict_yaml import parse
from edgeagent.provisioning.document import SUFFIX, read_provision
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.making import Common, make_provisions, read_base
from edgeagent.provisioning.table import COLUMNS
from tests.provisioning.desk import SECRET, certificate, made, stick, table, trusted_root

ALL = ",".join(column for column in COLUMNS if column != "password_file")


def refused(folder: Path, *rows: str, header: str = "device,cameras", **values: str) -> str:
    with pytest.raises(ProvisioningError) as caught:
        made(folder, *rows, header=header, **values)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_every_column_arrives_in_the_configuration(tmp_path: Path) -> None:
    certificate(tmp_path, "gate-1")
    trusted_root(tmp_path / "1.root.json")
    row = (
        "gate-1,1000beef,,D8-3A-DD-01-02-03,door=rtsp://10.0.0.7/1 | yard=/dev/video0,broker.local,"
        f'gate-1,"{SECRET}, with a comma",yes,gate-1.pem,gate-1.pem,gate-1.key,https://models.example.org,1.root.json,'
        "beta,pilot north,rpi5"
    )
    (one,) = made(tmp_path, row, header=ALL)
    settings = one.settings
    assert settings.device == "gate-1"
    assert {camera.name: camera.source for camera in settings.cameras} == {
        "door": "rtsp://10.0.0.7/1",
        "yard": "/dev/video0",
    }
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.username) == (
        "broker.local",
        8883,
        "gate-1",
    )
    assert settings.delivery is not None
    assert (settings.delivery.channel, settings.delivery.labels, settings.delivery.boards) == (
        "beta",
        ("pilot", "north"),
        ("rpi5",),
    )
    assert one.provision.board.given() == {"serial": "1000beef", "mac": "D8-3A-DD-01-02-03"}
    files = one.provision.files
    assert {name for name, file in files.items() if file.secret} == {"mqtt-password", "mqtt-key.pem"}
    assert set(files) == {"mqtt-password", "mqtt-ca.pem", "mqtt-certificate.pem", "mqtt-key.pem", "root.json"}
    assert files["mqtt-password"].text == f"{SECRET}, with a comma\n"


def test_options_fill_empty_cells_and_name_the_files_of_each_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    for name in ("gate-1", "gate-2"):
        (desk / f"{name}.secret").write_text(f"{SECRET} {name}\n", encoding="utf-8")
    monkeypatch.chdir(desk)
    rows = ("gate-1,0,other.local", "gate-2,0,")
    one, two = made(
        tmp_path,
        *rows,
        header="device,cameras,broker",
        broker="[fd00::1]:1884",
        username="{device}",
        password_file="{device}.secret",
    )
    assert (one.settings.mqtt.host, one.settings.mqtt.port) == ("other.local", 1883)
    assert (two.settings.mqtt.host, two.settings.mqtt.port) == ("fd00::1", 1884)
    assert two.settings.mqtt.username == "gate-2"
    assert two.provision.files["mqtt-password"].text == f"{SECRET} gate-2\n"


def test_a_base_configuration_gives_what_the_table_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n", encoding="ascii")
    trusted_root(tmp_path / "root.json")
    base = tmp_path / "fleet.yaml"
    base.write_text(
        "cameras: [{name: door, source: 0, fps: 5}, {name: yard, source: 1}]\n"
        "telemetry: {interval: 30s}\n"
        "mqtt: {tls: {ca: /etc/ssl/ca-of-the-board.pem}}\n"
        "delivery: {repository: 'https://m.example.org', root: root.json,\n"
        "  hawkbit: {url: 'https://h.example.org', token_file: token}}\n",
        encoding="utf-8",
    )
    rows = table(tmp_path, "gate-1,door=rtsp://10.0.0.7/1", "gate-2,")
    one, two = make_provisions(rows, Common({"broker": "b"}, read_base(base)))
    assert [(camera.name, camera.source, camera.fps) for camera in one.settings.cameras] == [
        ("door", "rtsp://10.0.0.7/1", 5)
    ]
    assert [camera.name for camera in two.settings.cameras] == ["door", "yard"]
    assert one.settings.telemetry.interval == 30
    assert one.settings.mqtt.tls is not None
    assert one.settings.mqtt.tls.ca == Path("/etc/ssl/ca-of-the-board.pem")
    assert set(one.provision.files) == {"root.json", "hawkbit-token"}


@pytest.mark.parametrize(
    "text",
    ["5", "on", "null", "2026-01-01", "a: b", "#x", "'", '"', "ä€😀", "a,b", "- x", "&a", "*a", "!t", "0x1f"],
)
def test_any_text_arrives_as_it_is(tmp_path: Path, text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    (one,) = made(tmp_path, f"gate-1,0,{quoted},pw", header="device,cameras,username,password", broker="b")
    assert one.settings.mqtt.username == text
    assert parse(one.provision.configuration.encode()).data["mqtt"]["username"] == text


def test_a_table_of_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    path.write_bytes('\ufeffdevice;cameras\r\ngate-1;0\r\n;\r\n\r\ngate-2;"rtsp://h/ä"\r\n'.encode())
    assert [one.file for one in make_provisions(path, Common())] == [f"gate-1{SUFFIX}", f"gate-2{SUFFIX}"]


@pytest.mark.parametrize(
    ("rows", "header", "line", "reason"),
    [
        (["gate 1,0"], "device,cameras", 2, "device: expected 1 to 64 letters"),
        ([",0"], "device,cameras", 2, "no device name"),
        (["a,0", "A,1", "a,2"], "device,cameras", 3, "line 2 has the same one"),
        (["a,0,x:1", "b,0,y", 'c,0,"X:1"'], "device,cameras,serial", 4, "serial: line 2 has the same one"),
        (["a,0,d8:3a"], "device,cameras,mac", 2, "twelve hexadecimal digits"),
        (["a,rtsp://:554/1"], "device,cameras", 2, "cameras[0].source: expected a host"),
        (["a,"], "device,cameras", 2, "cameras: required, but missing"),
        (["a,0 | 1"], "device,cameras", 2, "each of several cameras needs a name"),
        (["a,x=0 | x=1"], "device,cameras", 2, "camera names must be unique"),
        (["a,0,b:port"], "device,cameras,broker", 2, "expected HOST or HOST:PORT"),
        (["a,0,u"], "device,cameras,username", 2, "needs a broker"),
        (["a,0,b,maybe"], "device,cameras,broker,tls", 2, "tls: expected yes or no"),
        (["a,0,b,pw"], "device,cameras,broker,password", 2, "password_file needs a username"),
        (["a,0,b,u,gone"], "device,cameras,broker,username,password_file", 2, "cannot be read (No such file"),
        (["a,0,b,gone.pem"], "device,cameras,broker,certificate", 2, "certificate: "),
        (["a,0,https://m"], "device,cameras,repository", 2, "needs its trusted root"),
        (["a,0,ftp://m,table.csv"], "device,cameras,repository,root", 2, "cannot be read"),
        (["a,0,stable"], "device,cameras,channel", 2, "need a repository"),
        (["a,0,0,0"], "device,cameras", 2, "4 cells, and 2 columns"),
        (['a,"0'], "device,cameras", 2, "unexpected end of data"),
        (["a,0"], "device,camera", 1, "did you mean cameras?"),
        (["a,0,1"], "device,cameras,cameras", 1, "stands there twice"),
        (["a,0"], "x,y", 1, "no column device"),
        ([], "device,cameras", 1, "no device"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, rows: list[str], header: str, line: int, reason: str
) -> None:
    first = refused(tmp_path, *rows, header=header).splitlines()[0]
    assert first.startswith(f"{tmp_path / 'devices.csv'}:{line}: ")
    assert reason in first


def test_all_mistakes_are_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path, "a,0", '"b",\n"c","rtsp://:1/\n"', "d,")
    assert main(["provision", "make", "--devices", str(path), "--out", str(tmp_path / "stick")]) == 2
    lines = capsys.readouterr().err.removeprefix("edgeagent: ").splitlines()
    assert [line.split(":")[1] for line in lines[:-1]] == ["3", "4", "6"]
    assert lines[-1] == "nothing was written"
    assert not (tmp_path / "stick").exists()


def test_certificates_and_roots_are_checked(tmp_path: Path) -> None:
    for name in ("one", "two"):
        certificate(tmp_path, name)
    header = "device,cameras,broker,certificate,key"
    assert "does not fit" in refused(tmp_path, "a,0,b,one.pem,two.key", header=header)
    assert "holds no certificate" in refused(tmp_path, "a,0,b,one.key", header="device,cameras,broker,ca")
    (tmp_path / "der").write_bytes(b"\x30\x82\xff")
    assert "is no text" in refused(tmp_path, "a,0,b,der,one.key", header=header)
    os.mkfifo(tmp_path / "pipe")
    assert "is no regular file" in refused(tmp_path, "a,0,b,one.pem,pipe", header=header)
    (tmp_path / "no.json").write_text("{}", encoding="ascii")
    assert "is no trusted root" in refused(
        tmp_path, "a,0,https://m,no.json", header="device,cameras,repository,root"
    )
    later = datetime.now(timezone.utc) + timedelta(days=60)
    with pytest.raises(ProvisioningError, match=r":2: a: certificate: has expired on"):
        make_provisions(table(tmp_path, "a,0,b,one.pem,one.key", header=header), Common(), lambda: later)


def test_the_command_writes_private_files_and_prints_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(
        tmp_path,
        f"gate-1,rtsp://u:{SECRET.split()[0]}@h/1,u,{SECRET}",
        header="device,cameras,username,password",
    )
    out = tmp_path / "stick"
    command = ["provision", "make", "--devices", str(path), "--out", str(out), "--broker", "b"]
    assert main(command) == 0
    printed = capsys.readouterr()
    made_file = out / f"gate-1{SUFFIX}"
    assert made_file.stat().st_mode & 0o777 == 0o600
    assert out.stat().st_mode & 0o777 == 0o700
    assert main(["provision", "show", str(made_file)]) == 0
    shown = capsys.readouterr()
    assert "gate-1" in shown.out
    for text in (printed.out, printed.err, shown.out, shown.err):
        assert SECRET.split()[0] not in text
    (out / f"old{SUFFIX}").touch()
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "files": [{"device": "gate-1", "file": str(made_file)}],
        "others": [f"old{SUFFIX}"],
    }


def test_forty_boards_of_one_table(tmp_path: Path) -> None:
    rows = [f"gate-{n:02},d8:3a:dd:00:00:{n:02x},rtsp://10.0.1.{n}/1" for n in range(1, 41)]
    provisions = made(tmp_path, *rows, header="device,mac,cameras", broker="broker.local")
    folder = stick(tmp_path / "stick", provisions)
    files = sorted(folder.iterdir())
    assert len(files) == 40
    assert [read_provision(path).device for path in files] == [row.split(",")[0] for row in rows]
