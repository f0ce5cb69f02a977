"""Key files, signer URIs and passphrases."""

from __future__ import annotations

import importlib.util
import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import Signer

from edgeagent.publisher.errors import SigningKeyError
from edgeagent.publisher.keys import import_key, new_key, public_path, read_public_key
from edgeagent.publisher.opening import opened
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.pkcs8 import encrypted_pem
from edgeagent.publisher.roles import KeyFolders, init, named_key
from edgeagent.publisher.signers import Signers
from tests.publisher.publisher_folder import PASSPHRASE, plain_key

ROOT = Path(__file__).parents[2]


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(passphrase_file(tmp_path / "passphrase"))


def passphrase_file(path: Path, content: str = f"{PASSPHRASE}\nnot this line\n") -> Path:
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_key_pair_signs_and_is_for_its_owner_only(tmp_path: Path, secrets: Secrets) -> None:
    path = tmp_path / "keys" / "team.pem"
    uri, public = new_key(path, PASSPHRASE)
    assert uri == f"encrypted-file:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_public_key(public_path(path)) == public
    signer = Signer.from_priv_key_uri(uri, public, secrets)
    public.verify_signature(signer.sign(b"payload"), b"payload")


def test_openssl_opens_the_key_and_finds_a_slow_derivation(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    new_key(tmp_path / "team.pem", PASSPHRASE)
    file, word = passphrase_file(tmp_path / "passphrase"), tmp_path / "team.pem"
    openssl = ["openssl", "pkey", "-in", str(word), "-passin", f"file:{file}", "-pubout"]
    done = subprocess.run(openssl, capture_output=True, check=True)
    assert done.stdout == public_path(word).read_bytes()
    shown = subprocess.run(
        ["openssl", "asn1parse", "-in", str(word)], capture_output=True, check=True, text=True
    )
    assert f":{600_000:06X}" in shown.stdout
    assert {"PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc"} <= set(
        shown.stdout.replace("\n", ":").split(":")
    )


def test_a_large_key_is_encrypted_too() -> None:
    """Its lengths take more than one byte."""
    key = generate_private_key(SECP256R1())
    opened = load_pem_private_key(encrypted_pem(key, "p" * 200), b"p" * 200)
    assert opened.private_numbers() == key.private_numbers()  # type: ignore[union-attr]


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    new_key(tmp_path / "team.pem", PASSPHRASE)
    before = (tmp_path / "team.pem").read_bytes()
    with pytest.raises(SigningKeyError, match=r"team\.pem: exists already"):
        new_key(tmp_path / "team.pem", PASSPHRASE)
    assert (tmp_path / "team.pem").read_bytes() == before


def test_a_wrong_passphrase_is_named(tmp_path: Path) -> None:
    uri, _ = new_key(tmp_path / "team.pem", PASSPHRASE)
    wrong = Secrets(passphrase_file(tmp_path / "wrong", "another horse\n"))
    with pytest.raises(SigningKeyError, match=r"team\.pem: cannot be decrypted with this passphrase"):
        import_key(uri, wrong)


def test_what_is_no_usable_key_is_named(tmp_path: Path, secrets: Secrets) -> None:
    plain = plain_key(tmp_path / "plain.pem")
    new_key(tmp_path / "team.pem", PASSPHRASE)
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    for uri, words in {
        f"encrypted-file:{tmp_path}/absent.pem": "cannot be read .No such file",
        f"encrypted-file:{tmp_path}/plain.pem": "is not encrypted",
        f"encrypted-file:{tmp_path}/text": "or is not a private key",
        f"file2:{tmp_path}/team.pem": "is encrypted; its URI is encrypted-file:",
        f"file2:{tmp_path}/absent.pem": "cannot be read .No such file",
        f"file2:{tmp_path}/text": "the key cannot be used",
        "ftp://somewhere": "no signer is known for it",
    }.items():
        with pytest.raises(SigningKeyError, match=words):
            import_key(uri, secrets)
    assert import_key(plain, secrets)[0] == plain
    with pytest.raises(SigningKeyError, match="holds no public key"):
        read_public_key(tmp_path / "text")
    with pytest.raises(SigningKeyError, match="no such file with a public key, and it is no signer URI"):
        named_key("absent", secrets)


@pytest.mark.skipif(importlib.util.find_spec("boto3") is not None, reason="boto3 is installed here")
def test_the_package_of_a_cloud_signer_is_asked_for(secrets: Secrets) -> None:
    with pytest.raises(SigningKeyError, match=r"awskms:alias/fleet: .*install that package"):
        import_key("awskms:alias/fleet", secrets)


def test_a_private_key_of_another_pair_does_not_sign(tmp_path: Path, secrets: Secrets) -> None:
    uri, _ = new_key(tmp_path / "one.pem", PASSPHRASE)
    _, other = new_key(tmp_path / "two.pem", PASSPHRASE)
    with pytest.raises(SigningKeyError, match="does not match"):
        Signers({other.keyid: uri}, secrets).get(other, "targets")


def test_the_passphrase_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAGENT_PASSPHRASE_FILE", str(passphrase_file(tmp_path / "one")))
    monkeypatch.setenv("EDGEAGENT_PIN_FILE", str(passphrase_file(tmp_path / "pin", "1234\n")))
    assert Secrets()("passphrase of x") == PASSPHRASE
    assert Secrets()("pin") == "1234"
    assert Secrets(passphrase_file(tmp_path / "two", "nearer by far"))("passphrase of x") == "nearer by far"


def test_each_role_may_have_a_passphrase_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    online = passphrase_file(tmp_path / "online", "nearer by far")
    secrets = Secrets(passphrase_file(tmp_path / "all"), {"timestamp": online})
    assert secrets.choose("timestamp") == "nearer by far"
    assert secrets.choose("root") == PASSPHRASE
    assert secrets.of("timestamp")("passphrase of a") == "nearer by far"
    assert secrets.of("targets")("passphrase of b") == PASSPHRASE
    with pytest.raises(SigningKeyError, match="no terminal to ask on"):
        Secrets(None, {"timestamp": online}).choose("root")


def test_on_a_terminal_enter_repeats_the_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PASSPHRASE, PASSPHRASE, "", "another horse", "another horse", "a", "b"])
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return next(answers)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", answer)
    secrets = Secrets()
    assert secrets.choose("root") == PASSPHRASE
    assert secrets.choose("targets") == PASSPHRASE
    assert secrets.choose("snapshot") == "another horse"
    with pytest.raises(SigningKeyError, match="the two passphrases differ"):
        secrets.choose("timestamp")
    assert asked[:3] == [
        "passphrase for the new key of root: ",
        "same passphrase again: ",
        "passphrase for the new key of targets (Enter: as before): ",
    ]


def test_passphrases_that_cannot_be_had_are_explained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path, words in {
        tmp_path / "absent": "absent: the passphrase cannot be read .No such file",
        passphrase_file(tmp_path / "empty", "\nsecond line"): "its first line is empty",
    }.items():
        with pytest.raises(SigningKeyError, match=words):
            Secrets(path)("passphrase")
    with pytest.raises(SigningKeyError, match="shorter than 8"):
        Secrets(passphrase_file(tmp_path / "short", "1234567")).choose()
    open_to_all = passphrase_file(tmp_path / "open")
    open_to_all.chmod(0o644)
    assert Secrets(open_to_all).choose() == PASSPHRASE
    assert "everybody can read the passphrase" in caplog.text


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    code = subprocess.run(
        [sys.executable, "-m", "edgeagent", "publish", "new-key", str(tmp_path / "team.pem")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert code.returncode == 7
    assert "there is no terminal to ask on; give --passphrase-file" in code.stderr
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_the_passphrase_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgeagent", "publish", "new-key", str(tmp_path / "team.pem")]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(command[0], command)
    seen = b""
    for prompt in (b"passphrase for the new keys: ", b"same passphrase again: "):
        while not seen.endswith(prompt):
            seen += os.read(terminal, 1000)
        os.write(terminal, PASSPHRASE.encode() + b"\n")
    try:
        while chunk := os.read(terminal, 1000):
            seen += chunk
    except OSError:  # how the end of a terminal shows on Linux
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert PASSPHRASE.encode() not in seen
    secrets = Secrets(passphrase_file(tmp_path / "passphrase"))
    assert import_key(f"encrypted-file:{tmp_path}/team.pem", secrets)[1] == read_public_key(
        tmp_path / "team.pub.pem"
    )


def test_a_refresh_needs_the_online_keys_only(tmp_path: Path) -> None:
    """The offline keys are gone, and the passphrase of the online ones is all that is known."""
    online = passphrase_file(tmp_path / "online", "nearer by far")
    secrets = Secrets(passphrase_file(tmp_path / "all"), {"snapshot": online, "timestamp": online})
    folders = KeyFolders.below(tmp_path / "keys", tmp_path / "stick")
    fleet = tmp_path / "fleet"
    assert init(fleet, folders, secrets, {}, {}, {})
    shutil.rmtree(tmp_path / "stick")
    with opened(fleet, Secrets(None, {"snapshot": online, "timestamp": online})) as publication:
        assert publication.publish(refresh=True)
    assert publication.served.version("timestamp") == 2
