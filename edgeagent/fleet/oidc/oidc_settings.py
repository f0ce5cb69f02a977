"""Settings of the sign-in through an identity provider: a file of their own, ``fleet serve --oidc FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import printable
from edgeagent.files.strict_yaml import MAX_BYTES
from edgeagent.fleet.users.actor import ALL_TENANTS, Role
from edgeagent.fleet.users.user_store import TENANTS
from edgeagent.settings.addresses import is_loopback
from edgeagent.settings.examination import parse_document, validate_as

ADVICE = "docs/fleet-page.md, section OpenID Connect, has an example"
CALLBACK = "/sign-in/oidc/callback"
LABELS = r"^[^\x00-\x1f\x7f]{1,60}$"


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an address such as https://id.example.com/realms/plant")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected an address without a user or password")
    local = parts.hostname == "localhost" or is_loopback(parts.hostname)
    if parts.scheme == "http" and not local:
        raise ValueError("http is for this machine only; use https")
    return value.rstrip("/")


def _tenant_name(value: str) -> str:
    if not value or not TENANTS.fullmatch(value):
        raise ValueError("use letters, digits, - and _ (not - alone), or * for all tenants")
    return value


Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,200}$")]


class OidcSettings(BaseModel):
    """Identity provider, and what its claims mean here.

    Attributes:
        issuer: address of the provider; its description is at ``/.well-known/openid-configuration`` below it.
        page: address at which people open the fleet's page; the provider must know ``page`` +
            :data:`CALLBACK` as the address to return to.
        client_id: name of the page at the provider.
        client_secret_file: file whose first line is the secret; None for a public client with PKCE alone.
        scopes: that are asked for, beside ``openid``.
        user_claim: claim with the name that is shown and audited.
        role_claim: claim with a word or a list of words, such as groups.
        roles: word of this claim to role; of several the one with most rights counts.
        default_role: role of those without such a word; None refuses them.
        tenant_claim: claim with a word or a list of words; None: all see the devices of all tenants.
        tenants: word of this claim to tenant; those without such a word are refused.
        label: of the link on the page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Address
    page: Address
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret_file: Annotated[Path, Field(strict=False)] | None = None
    scopes: tuple[Name, ...] = ("profile", "email")
    user_claim: Name = "preferred_username"
    role_claim: Name = "groups"
    roles: dict[str, Role] = Field(default_factory=dict)
    default_role: Literal["viewer", "operator"] | None = None
    tenant_claim: Name | None = None
    tenants: dict[str, Annotated[str, AfterValidator(_tenant_name)]] = Field(default_factory=dict)
    label: Annotated[str, StringConstraints(pattern=LABELS)] = "Sign in with the organization's account"

    @property
    def redirect_uri(self) -> str:
        """Address to which the provider returns."""
        return self.page + CALLBACK

    @model_validator(mode="after")
    def _somebody_may_sign_in(self) -> OidcSettings:
        if not self.roles and self.default_role is None:
            raise ValueError("nobody would have a role; give roles, or default_role")
        if bool(self.tenants) != (self.tenant_claim is not None):
            raise ValueError("tenant_claim and tenants belong together")
        if "admin" in self.roles.values() and self.tenants and ALL_TENANTS not in self.tenants.values():
            raise ValueError(f"an admin has all tenants; give one of tenants the value '{ALL_TENANTS}'")
        return self


def load_oidc_settings(path: Path) -> OidcSettings:
    """Read the file; ``client_secret_file`` is relative to it.

    Raises:
        ConfigurationError: it is missing, or cannot be used. Each line of the message is
            ``FILE:LINE: key: what was expected (got ...)``, as of the configuration of a board.
    """
    shown = printable(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(f"{shown}: there is no such file; {ADVICE}") from None
    except OSError as error:
        raise ConfigurationError(f"{shown}: cannot be read ({error.strerror})") from None
    read = validate_as(OidcSettings, parse_document(content, shown, f"keys; {ADVICE}"), shown)
    secret = read.client_secret_file
    if secret is None or secret.is_absolute():
        return read
    return read.model_copy(update={"client_secret_file": path.absolute().parent / secret})
