from __future__ import annotations

import pathlib

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.state import default_state


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> pathlib.Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pathlib.Path, "home", no_home)
    with pytest.raises(ConfigurationError, match=r"no home folder.*`state`"):
        default_state()
