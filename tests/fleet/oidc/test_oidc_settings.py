"""The file of an identity provider: what is read, and each mistake in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.oidc.oidc_settings import load_oidc_settings

FILE = """\
issuer: https://id.example.com/realms/plant/
page: https://fleet.example.com
client_id: edgeagent-fleet
client_secret_file: oidc.secret
roles: {fleet-admins: admin, fleet-operators: operator}
default_role: viewer
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "oidc.yaml").write_text(FILE)
    read = load_oidc_settings(tmp_path / "oidc.yaml")
    assert read.issuer == "https://id.example.com/realms/plant"
    assert read.redirect_uri == "https://fleet.example.com/sign-in/oidc/callback"
    assert read.client_secret_file == tmp_path / "oidc.secret"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("https://id", "http://id", "oidc.yaml:1: issuer: http is for this machine only; use https"),
        ("https://id.example.com", "https://u:p@id.example.com", "without a user or password"),
        ("https://fleet", "ftp://fleet", "oidc.yaml:2: page: expected an address"),
        ("operator}", "boss}", "oidc.yaml:5: roles.fleet-operators: expected 'viewer', "),
        (
            "default_role: viewer",
            "default_role: admin",
            "oidc.yaml:6: default_role: expected 'viewer' or 'operator' (got",
        ),
        ("default_role: viewer", "tenant_claim: team", "tenant_claim and tenants belong together"),
        (
            "default_role: viewer",
            "tenant_claim: team\ntenants: {all: '-'}",
            "oidc.yaml:7: tenants.all: use letters",
        ),
        (
            "default_role: viewer",
            "tenant_claim: team\ntenants: {all: ''}",
            "oidc.yaml:7: tenants.all: use letters",
        ),
        ("client_id:", "client:", "oidc.yaml:3: client: unknown key; did you mean client_id?"),
        ("client_id:", "client:", "oidc.yaml:1: client_id: required, but missing"),
        ("client_secret_file: oidc.secret", "client_secret: hunter2", "did you mean client_secret_file?"),
        (
            "edgeagent-fleet",
            "7",
            "oidc.yaml:3: client_id: expected text, in quotes if it looks like a number",
        ),
        ("page:", "page: a: b", "oidc.yaml:2: "),
        (FILE, "", "oidc.yaml:1: the file is empty; it needs keys; docs/fleet-page.md"),
    ],
)
def test_mistakes(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in FILE
    (tmp_path / "oidc.yaml").write_text(FILE.replace(before, after))
    with pytest.raises(ConfigurationError) as mistake:
        load_oidc_settings(tmp_path / "oidc.yaml")
    assert told in str(mistake.value)
    assert "hunter2" not in str(mistake.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_oidc_settings(tmp_path / "oidc.yaml")
