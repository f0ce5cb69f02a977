"""Key pairs: private keys in encrypted files, or behind a signer URI of securesystemslib.

A private key file is PKCS #8 in PEM, encrypted with a passphrase (RFC 5958, PBES2 of RFC 8018), as OpenSSL
and ``cryptography`` write it; its URI is ``encrypted-file:/absolute/path.pem``. The schemes of
securesystemslib (``hsm:``, ``awskms:``, ``gcpkms:``, ``azurekms:``, ``hv:``, ``file2:``) need their packages.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (
    SIGNER_FOR_URI_SCHEME,
    AWSSigner,
    AzureSigner,
    CryptoSigner,
    GCPSigner,
    HSMSigner,
    Key,
    SecretsHandler,
    SSlibKey,
    VaultSigner,
)

from edgeagent.files.atomic import create_file
from edgeagent.files.durable import make_folder
from edgeagent.publisher.errors import SigningKeyError
from edgeagent.publisher.pkcs8 import encrypted_pem


class EncryptedFileSigner(CryptoSigner):
    """Signer with a private key in an encrypted file; the library's ``file2:`` reads plain files only."""

    SCHEME = "encrypted-file"

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> EncryptedFileSigner:
        """Open the file; see :class:`securesystemslib.signer.Signer`.

        Raises:
            SigningKeyError: the file is missing or damaged, or the passphrase is wrong.
        """
        path = Path(priv_key_uri.removeprefix(f"{cls.SCHEME}:"))
        return cls(_load(path, secrets_handler), cast("SSlibKey", public_key))


SIGNER_FOR_URI_SCHEME[EncryptedFileSigner.SCHEME] = EncryptedFileSigner


def new_key(path: Path, passphrase: str) -> tuple[str, Key]:
    """Make an Ed25519 key pair: ``NAME.pem`` (private, encrypted, mode 0600) and ``NAME.pub.pem``.

    Args:
        path: of the private key; its folder is made as needed, for this user only.
        passphrase: that encrypts it.

    Returns:
        The signer URI and the public key.

    Raises:
        SigningKeyError: a file exists already, or cannot be written.
    """
    signer = CryptoSigner.generate_ed25519()
    path = path.absolute()
    content = encrypted_pem(signer._private_key, passphrase)
    public = signer.public_key
    try:
        make_folder(path.parent)
        create_file(path, content, 0o600)
        create_file(public_path(path), public_pem(public))
    except FileExistsError as error:
        raise SigningKeyError(
            f"{error.filename}: exists already and is not replaced; choose another folder"
        ) from None
    except OSError as error:
        raise SigningKeyError(f"{error.filename or path}: cannot be written ({error.strerror})") from error
    return f"{EncryptedFileSigner.SCHEME}:{path}", public


def public_path(path: Path) -> Path:
    """Return the path of the public key that belongs to a private key file."""
    return path.with_name(f"{path.name.removesuffix('.pem')}.pub.pem")


def public_pem(key: Key) -> bytes:
    """Return a public key as SubjectPublicKeyInfo in PEM."""
    loaded = cast("SSlibKey", key)._crypto_key()
    return loaded.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public_key(path: Path) -> Key:
    """Return the public key in a PEM file.

    Raises:
        SigningKeyError: it cannot be read, or is not a public key of a type that TUF supports.
    """
    try:
        return SSlibKey.from_crypto(load_pem_public_key(path.read_bytes()))
    except OSError as error:
        raise SigningKeyError(f"{path}: the public key cannot be read ({error.strerror})") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyError(
            f"{path}: holds no public key (Ed25519, ECDSA or RSA) in PEM; `publish new-key` writes one"
        ) from None


def import_key(uri: str, secrets: SecretsHandler) -> tuple[str, Key]:
    """Return the complete URI and the public key of a private key.

    Args:
        uri: of the private key.
        secrets: asked for passphrase or PIN.

    Raises:
        SigningKeyError: the scheme is unknown, its package is not installed, or the key cannot be reached.
    """
    scheme, _, rest = uri.partition(":")
    importer = _IMPORTERS.get(scheme)
    if importer is None:
        known = ", ".join(f"{name}:" for name in sorted(_IMPORTERS))
        raise SigningKeyError(
            f"{uri}: no signer is known for it; expected a public key file or one of {known}"
        )
    try:
        return importer(rest, secrets)
    except SigningKeyError:
        raise
    except UnsupportedLibraryError as error:
        raise SigningKeyError(f"{uri}: {error}; install that package") from None
    except Exception as error:  # the exceptions of signers are not documented
        raise SigningKeyError(f"{uri}: the key cannot be used ({error})") from error


def _import_encrypted(rest: str, secrets: SecretsHandler) -> tuple[str, Key]:
    path = Path(rest).absolute()
    private = _load(path, secrets)
    return f"{EncryptedFileSigner.SCHEME}:{path}", SSlibKey.from_crypto(private.public_key())


def _import_plain(rest: str, secrets: SecretsHandler) -> tuple[str, Key]:
    path = Path(rest).absolute()
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise SigningKeyError(f"{path}: the private key cannot be read ({error.strerror})") from None
    except TypeError:
        raise SigningKeyError(f"{path}: is encrypted; its URI is encrypted-file:{path}") from None
    return f"{CryptoSigner.SCHEME}:{path}", SSlibKey.from_crypto(private.public_key())


def _import_hsm(rest: str, secrets: SecretsHandler) -> tuple[str, Key]:
    keyid, _, query = rest.partition("?")  # hsm:[KEYID][?label=LABEL]
    return HSMSigner.import_(int(keyid) if keyid else None, dict(parse_qsl(query)).get("label"), secrets)


def _import_azure(rest: str, secrets: SecretsHandler) -> tuple[str, Key]:
    host, _, name = rest.removeprefix("//").partition("/keys/")  # //VAULT.vault.azure.net/keys/NAME/VERSION
    return AzureSigner.import_(host.partition(".")[0], name.partition("/")[0])


_IMPORTERS: dict[str, Callable[[str, SecretsHandler], tuple[str, Key]]] = {
    EncryptedFileSigner.SCHEME: _import_encrypted,
    CryptoSigner.SCHEME: _import_plain,
    HSMSigner.SCHEME: _import_hsm,
    AzureSigner.SCHEME: _import_azure,
    AWSSigner.SCHEME: lambda rest, _: AWSSigner.import_(rest),
    GCPSigner.SCHEME: lambda rest, _: GCPSigner.import_(rest),
    VaultSigner.SCHEME: lambda rest, _: VaultSigner.import_(rest.partition("/")[0]),
}


def _load(path: Path, secrets: SecretsHandler | None) -> PrivateKeyTypes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SigningKeyError(
            f"{path}: the private key cannot be read ({error.strerror}); is its medium mounted?"
        ) from None
    if secrets is None:
        raise SigningKeyError(f"{path}: needs a passphrase, and there is no way to ask for it")
    passphrase = secrets(f"passphrase of {path}")
    try:
        return load_pem_private_key(content, passphrase.encode())
    except TypeError:
        raise SigningKeyError(
            f"{path}: is not encrypted; encrypt it (openssl pkcs8 -topk8 -in KEY -out NEW), or name it as "
            f"file2:{path}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyError(
            f"{path}: cannot be decrypted with this passphrase, or is not a private key in PEM"
        ) from None
