"""Provisioning files for a table of devices: all of them, or none where one row is wrong."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeagent.errors import ConfigurationError
from edgeagent.files.atomic import PRIVATE_FILE, replace_file
from edgeagent.files.naming import printable
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from edgeagent.provisioning.board_configuration import BaseConfiguration, board_configuration
from edgeagent.provisioning.checks import check_configuration, expired_certificates
from edgeagent.provisioning.document import (
    SUFFIX,
    BoardFacts,
    Provision,
    files_folder,
    new_provision,
    provision_bytes,
)
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.identity import normalized_fact
from edgeagent.provisioning.table import FILE_COLUMNS, TableRow, read_table
from edgeagent.settings.schema import Settings
from edgeagent.version import __version__

NO_BASE = BaseConfiguration({}, Path())
_FACTS = tuple(BoardFacts.model_fields)
_MAC_DIGITS = 12


@dataclass(frozen=True)
class Common:
    """What all boards of a table have in common.

    Attributes:
        values: by column, for cells that are empty; files relative to the working folder.
        base: configuration for everything else.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    base: BaseConfiguration = NO_BASE


@dataclass(frozen=True)
class MadeProvision:
    """Provisioning file that was made.

    Attributes:
        provision: its content.
        settings: of the board; its files lay in a temporary folder that is gone.
    """

    provision: Provision
    settings: Settings

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.provision.device}{SUFFIX}"


def read_base(path: Path) -> BaseConfiguration:
    """Read a configuration that all boards have in common; it need not be complete.

    Raises:
        ProvisioningError: it cannot be read, or is no YAML with keys.
    """
    try:
        document = parse(path.read_bytes())
    except OSError as error:
        raise ProvisioningError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    except YamlMistakeError as mistake:
        raise ProvisioningError(f"{printable(path)}:{mistake.line}: {mistake}") from None
    for line, place in document.duplicates:
        raise ProvisioningError(f"{printable(path)}:{line}: the key {place[-1]} stands there twice")
    data: Any = document.data or {}
    if not isinstance(data, dict):
        raise ProvisioningError(f"{printable(path)}:1: expected keys of a configuration")
    return BaseConfiguration(data, path.parent)


def make_provisions(
    table: Path, common: Common, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
) -> list[MadeProvision]:
    """Return the provisions of all rows of a table, checked as the boards do; nothing is written.

    Raises:
        ProvisioningError: a row is wrong; each line of the message is ``FILE:LINE: DEVICE: what is wrong``.
    """
    rows = read_table(table)
    mistakes = list(_duplicates(rows))
    made: list[MadeProvision] = []
    with tempfile.TemporaryDirectory(prefix="edgeagent-provision-") as folder:
        for number, row in enumerate(rows):
            try:
                made.append(_make(row, table.parent, common, Path(folder) / str(number), now()))
            except ConfigurationError as error:
                mistakes += [(row, line) for line in str(error).splitlines() or ["is invalid"]]
    if mistakes:
        name = printable(table)
        ordered = sorted(mistakes, key=lambda mistake: mistake[0].line)
        lines = [f"{name}:{row.line}: {row.values['device']}: {text}" for row, text in ordered]
        raise ProvisioningError("\n".join([*lines, "nothing was written"]))
    return made


def write_provisions(made: Sequence[MadeProvision], folder: Path) -> list[Path]:
    """Write provisioning files, each readable for this user only, and return their paths.

    Raises:
        ProvisioningError: the folder or a file cannot be written; files before it are complete.
    """
    paths = [folder / one.file for one in made]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, one in zip(paths, made, strict=True):
            path.unlink(missing_ok=True)  # one with a wider mode would keep it
            replace_file(path, provision_bytes(one.provision), PRIVATE_FILE)
    except OSError as error:
        raise ProvisioningError(f"{error.filename or folder}: cannot be written ({error.strerror})") from None
    return paths


def _make(row: TableRow, folder: Path, common: Common, work: Path, now: datetime) -> MadeProvision:
    device = row.values["device"]
    facts = BoardFacts(**{name: row.values[name] for name in _FACTS if name in row.values})
    if facts.mac is not None and len(normalized_fact("mac", facts.mac)) != _MAC_DIGITS:
        raise ProvisioningError("mac: expected twelve hexadecimal digits, such as d8:3a:dd:01:02:03")
    identifier = uuid.uuid4().hex
    text, files = board_configuration(_values(row, folder, common), common.base, files_folder(identifier))
    provision = new_provision(identifier, now, __version__, device, facts, text, files)
    settings = _checked(provision, work)
    for problem in expired_certificates({name: file.text for name, file in files.items()}, now):
        raise ProvisioningError(problem)
    return MadeProvision(provision, settings)


def _values(row: TableRow, folder: Path, common: Common) -> dict[str, str]:
    """Return the values of a row and those of all boards, with complete paths of files."""
    device = row.values["device"]
    given = {**common.values}
    if "password" in row.values:
        given.pop("password_file", None)
    places = dict.fromkeys(given, Path())
    given.update(row.values)
    places.update(dict.fromkeys(row.values, folder))
    values = {name: value.replace("{device}", device) for name, value in given.items() if name != "password"}
    values.update({name: value for name, value in given.items() if name == "password"})
    for name in FILE_COLUMNS:
        if name in values:
            values[name] = os.fspath(places[name] / values[name])
    return values


def _checked(provision: Provision, work: Path) -> Settings:
    """Return the settings of a provision, checked in a folder as on the board."""
    configuration = work / "edgeagent.yaml"
    (work / provision.folder).mkdir(parents=True)
    configuration.write_text(provision.configuration, encoding="utf-8")
    for name, file in provision.files.items():
        path = work / provision.folder / name
        path.touch(mode=PRIVATE_FILE)
        path.write_text(file.text, encoding="utf-8", newline="")
    try:
        return check_configuration(configuration, work)
    except ConfigurationError as error:
        lines = str(error).splitlines()
        raise ProvisioningError("\n".join(_without_place(line, work, provision) for line in lines)) from None


def _without_place(line: str, work: Path, provision: Provision) -> str:
    """Return a line of an error without the temporary folder and the line of the made configuration."""
    text = line.replace(f"{work / provision.folder}/", "")
    head, found, rest = text.partition(f"{work / 'edgeagent.yaml'}:")
    return f"{head}{rest.partition(': ')[2]}" if found else text


def _duplicates(rows: Sequence[TableRow]) -> Iterator[tuple[TableRow, str]]:
    """Yield rows whose name or fact another row has already."""
    for column in ("device", *_FACTS):
        first: dict[str, TableRow] = {}
        for row in rows:
            value = row.values.get(column)
            if value is None:
                continue
            key = normalized_fact(column, value)
            if key in first:
                yield row, f"{column}: line {first[key].line} has the same one"
            first.setdefault(key, row)
