"""Encryption of a private key, with a key derivation that is slow enough for a passphrase.

``cryptography`` writes PKCS #8 with a fixed 2,048 rounds of PBKDF2; it reads any number. This module writes
the same structure, EncryptedPrivateKeyInfo with PBES2, PBKDF2 (HMAC-SHA-256) and AES-256-CBC
(RFC 5958, RFC 8018 appendix A), with 600,000 rounds. OpenSSL reads it, too.
"""

from __future__ import annotations

import base64
import os
import textwrap

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROUNDS = 600_000
_INTEGER, _OCTETS, _OBJECT, _SEQUENCE = 0x02, 0x04, 0x06, 0x30
_NULL = b"\x05\x00"
_PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")  # 1.2.840.113549.1.5.12
_HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")  # 1.2.840.113549.2.9
_AES256_CBC = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42


def encrypted_pem(key: PrivateKeyTypes, passphrase: str) -> bytes:
    """Return a private key, encrypted with a passphrase, as ``ENCRYPTED PRIVATE KEY`` in PEM."""
    salt, vector = os.urandom(16), os.urandom(16)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    padder = PKCS7(AES.block_size).padder()
    derived = PBKDF2HMAC(SHA256(), 32, salt, ROUNDS).derive(passphrase.encode())
    encryptor = Cipher(AES(derived), CBC(vector)).encryptor()
    secret = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    derivation = _sequence(
        _der(_OBJECT, _PBKDF2),
        _sequence(
            _der(_OCTETS, salt),
            _der(_INTEGER, ROUNDS.to_bytes(3, "big")),
            _sequence(_der(_OBJECT, _HMAC_SHA256), _NULL),
        ),
    )
    cipher = _sequence(_der(_OBJECT, _AES256_CBC), _der(_OCTETS, vector))
    algorithm = _sequence(_der(_OBJECT, _PBES2), _sequence(derivation, cipher))
    text = base64.b64encode(_sequence(algorithm, _der(_OCTETS, secret))).decode()
    label = "ENCRYPTED PRIVATE KEY"
    return "\n".join(
        [f"-----BEGIN {label}-----", *textwrap.wrap(text, 64), f"-----END {label}-----", ""]
    ).encode()


def _sequence(*parts: bytes) -> bytes:
    return _der(_SEQUENCE, b"".join(parts))


def _der(tag: int, content: bytes) -> bytes:
    """Return a value in DER (X.690, 8.1): tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
