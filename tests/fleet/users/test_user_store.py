"""Users and tokens: what is kept of them, who they are, and what is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.users.actor import NOBODY, ROLES, Actor
from edgeagent.fleet.users.fleet_credentials import FleetCredentials
from edgeagent.fleet.users.upload_tokens import UploadTokens
from edgeagent.fleet.users.user_audit import UserAudit
from edgeagent.fleet.users.user_file import MIGRATIONS, NAME, UserFile
from edgeagent.fleet.users.user_store import UserStore

PASSWORD = "correct horse battery"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[UserFile]:
    opened = UserFile(tmp_path / "users")
    yield opened
    opened.close()


@pytest.fixture
def users(file: UserFile) -> UserStore:
    return UserStore(file)


def test_of_secrets_only_hashes_are_kept(users: UserStore, file: UserFile) -> None:
    users.add("ann", PASSWORD, "admin")
    token = users.issue("ann", "ci")
    file.close()
    content = b"".join(path.read_bytes() for path in file.path.parent.iterdir())
    assert PASSWORD.encode() not in content
    assert token.encode() not in content
    assert b"$argon2id$" in content
    assert file.path.stat().st_mode & 0o077 == 0
    assert file.path.parent.stat().st_mode & 0o077 == 0


def test_passwords_are_checked(users: UserStore) -> None:
    users.add("ann", PASSWORD, "viewer")
    check = FleetCredentials(users).check
    assert asyncio.run(check("ann", PASSWORD)) == "ann"
    assert asyncio.run(check("ann", PASSWORD + " ")) is None
    assert asyncio.run(check("Ann", PASSWORD)) is None
    assert asyncio.run(check("nobody", PASSWORD)) is None
    assert asyncio.run(check("ann", "x" * 10_000)) is None


@pytest.mark.parametrize(
    ("name", "password", "role", "tenant"),
    [
        ("", PASSWORD, "viewer", "*"),
        ("a/b", PASSWORD, "viewer", "*"),
        ("-ann", PASSWORD, "viewer", "*"),
        ("ann\n", PASSWORD, "viewer", "*"),
        ("a" * 65, PASSWORD, "viewer", "*"),
        ("'; DROP TABLE users; --", PASSWORD, "viewer", "*"),
        ("ann", "short", "viewer", "*"),
        ("ann", "x" * 1025, "viewer", "*"),
        ("ann", PASSWORD, "root", "*"),
        ("ann", PASSWORD, "viewer", "a/b"),
        ("ann", PASSWORD, "viewer", "-"),
        ("ann", PASSWORD, "viewer", "*x"),
    ],
)
def test_what_cannot_be_a_user_is_refused(
    users: UserStore, name: str, password: str, role: str, tenant: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"use|expected"):
        users.add(name, password, role, tenant)
    assert users.empty


def test_a_name_is_taken_once(users: UserStore) -> None:
    users.add("ann", PASSWORD, "viewer")
    with pytest.raises(ConfigurationError, match="exists already"):
        users.add("ann", PASSWORD, "admin")
    assert [user.role for user in users.users()] == ["viewer"]


def test_sessions_end_with_their_user_and_with_a_new_password(file: UserFile) -> None:
    now = [1000.0]
    users = UserStore(file, lambda: now[0])
    users.add("ann", PASSWORD, "operator", "plant-3")
    assert users.actor_of("ann", 1001.0) == Actor("ann", "operator", "plant-3")
    users.change("ann", role="viewer")
    assert users.actor_of("ann", 1001.0) == Actor("ann", "viewer", "plant-3")
    now[0] = 2000.0
    users.change("ann", password="another long password")
    assert users.actor_of("ann", 1001.0) is None
    assert users.actor_of("ann", 2001.0) is not None
    users.remove("ann")
    assert users.actor_of("ann", 2001.0) is None
    now[0] = 3000.0
    users.add("ann", PASSWORD, "admin")
    assert users.actor_of("ann", 2001.0) is None, "the session of another person of this name"


def test_a_token_has_at_most_the_rights_of_its_user(users: UserStore) -> None:
    users.add("bob", PASSWORD, "operator", "plant-3")
    with pytest.raises(ConfigurationError, match="cannot give admin"):
        users.issue("bob", "ci", "admin")
    token = users.issue("bob", "ci", "operator")
    assert users.token_actor(token) == Actor("bob/ci", "operator", "plant-3")
    users.change("bob", role="viewer")
    assert users.token_actor(token) == Actor("bob/ci", "viewer", "plant-3")
    assert users.actor_of("bob/ci", 0.0) == Actor("bob/ci", "viewer", "plant-3")
    assert users.token_actor(token[:-1]) is None
    assert users.token_actor("") is None
    users.remove("bob")
    assert users.token_actor(token) is None


def test_a_token_ends(file: UserFile) -> None:
    now = [1000.0]
    users = UserStore(file, lambda: now[0])
    users.add("bob", PASSWORD, "viewer")
    short, other = users.issue("bob", "short", lasts_s=60.0), users.issue("bob", "other")
    now[0] += 60
    assert users.token_actor(short) is None
    assert users.token_actor(other) is not None
    users.revoke("bob", "other")
    assert users.token_actor(other) is None
    with pytest.raises(ConfigurationError, match="there is none"):
        users.revoke("bob", "other")


def test_an_admin_has_all_tenants(users: UserStore) -> None:
    with pytest.raises(ConfigurationError, match="an admin has all tenants"):
        users.add("tom", PASSWORD, "admin", "plant-3")
    users.add("tom", PASSWORD, "operator", "plant-3")
    with pytest.raises(ConfigurationError, match="cannot be an admin"):
        users.change("tom", role="admin")
    assert not Actor("tom", "admin", "plant-3").may("admin")
    assert not Actor("tom", "admin", "").may("admin")


def test_roles_have_an_order() -> None:
    assert [Actor("x", role).may("operator") for role in ROLES] == [False, True, True]
    assert not NOBODY.may("operator")


def test_two_processes_write_at_the_same_time(users: UserStore, file: UserFile) -> None:
    second = UserFile(file.path.parent)
    UserStore(second).add("ann", PASSWORD, "admin")
    users.add("bob", PASSWORD, "viewer")
    assert [user.name for user in UserStore(second).users()] == ["ann", "bob"]
    second.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    UserFile(tmp_path).close()
    with sqlite3.connect(tmp_path / NAME) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(ConfigurationError, match="newer"):
        UserFile(tmp_path)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no database " * 1000)
    with pytest.raises(ConfigurationError, match=r"cannot be read or written .*--state"):
        UserFile(tmp_path)


def test_audit_is_kept_in_order_and_by_tenant(file: UserFile) -> None:
    audit = UserAudit(file, lambda: 1000.0)
    for number in range(5):
        actor = Actor("ann", "admin") if number % 2 else Actor("bob", "operator", "plant-3")
        audit.note(actor, "acknowledge", f"drift of cam-{number}", "10.0.0.1", done=number != 4)
    rows = audit.rows("*", 10)
    assert [row.object for row in rows] == [f"drift of cam-{number}" for number in (4, 3, 2, 1, 0)]
    assert [row.done for row in rows] == [False, True, True, True, True]
    assert {row.who for row in audit.rows("plant-3", 10)} == {"bob"}
    assert [row.object for row in audit.rows("*", 2, before=rows[1].id)] == [
        "drift of cam-2",
        "drift of cam-1",
    ]
    assert [row.object for row in audit.rows("*", 9, search="CAM-3")] == ["drift of cam-3"]
    assert audit.rows("*", 9, search="' OR 1=1 --") == []


@pytest.mark.parametrize("tenant", ["-", "*", "a/b", "a\n", "-\n"])
def test_an_upload_token_is_of_a_tenant_that_can_be(file: UserFile, tenant: str) -> None:
    tokens = UploadTokens(file)
    with pytest.raises(ConfigurationError, match="not - alone"):
        tokens.issue("boards", tenant)
    assert tokens.tenant_of(tokens.issue("boards", "--")) == "--"
    assert tokens.tenant_of(tokens.issue("boards", "")) == ""
