"""A key in a hardware module, here SoftHSM: root is signed there, and devices follow."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.publisher.errors import SigningKeyError
from edgeagent.publisher.keys import import_key
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.verification import verify
from tests.publisher.publisher_folder import Device, PublisherFolder, plain_key
from tests.publisher.test_roles import rotate

LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
LABEL, PIN = "fleet", "4321"
MAKE_KEY = f"""
import os, pkcs11
from pkcs11.util.ec import encode_named_curve_parameters
token = pkcs11.lib(os.environ["PYKCS11LIB"]).get_token(token_label="{LABEL}")
with token.open(user_pin="{PIN}", rw=True) as session:
    parameters = {{pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}}
    curve = session.create_domain_parameters(pkcs11.KeyType.EC, parameters, local=True)
    curve.generate_keypair(id=bytes([2]), label="root", store=True)
"""


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token with a P-256 key; returns its URI."""
    library = next((path for path in LIBRARIES if Path(path).exists()), None)
    if library is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not installed (package softhsm2)")
    try:
        importlib.import_module("pkcs11")
    except ImportError:
        pytest.skip("python-pkcs11 is not installed")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n", encoding="utf-8")
    (tmp_path / "pin").write_text(f"{PIN}\n", encoding="utf-8")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.setenv("PYKCS11LIB", library)
    monkeypatch.setenv("EDGEAGENT_PIN_FILE", str(tmp_path / "pin"))
    init = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN]
    subprocess.run(init, check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", MAKE_KEY], check=True)
    return f"hsm:2?label={LABEL}"


def test_root_is_signed_in_a_module(hsm: str, tmp_path: Path) -> None:
    publisher = PublisherFolder(tmp_path / "fleet", given={"root": [hsm]})
    device = Device(tmp_path / "device", publisher.root())
    assert rotate(publisher, "timestamp", plain_key(tmp_path / "new.pem"))
    verify(publisher.folder, publisher.root())
    device.fetch(publisher.folder)
    (tmp_path / "pin").write_text("0000\n", encoding="utf-8")
    publisher.secrets = Secrets()
    with pytest.raises(SigningKeyError, match="root: the key does not sign"):
        rotate(publisher, "timestamp", plain_key(tmp_path / "newer.pem"))


def test_a_module_without_the_key_is_named(hsm: str) -> None:
    with pytest.raises(SigningKeyError, match=r"hsm:7\?label=fleet: the key cannot be used .could not find"):
        import_key("hsm:7?label=fleet", Secrets())
    with pytest.raises(SigningKeyError, match="No PKCS#11 token found for label other"):
        import_key("hsm:2?label=other", Secrets())
