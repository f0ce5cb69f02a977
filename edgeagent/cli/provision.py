"""``edgeagent provision make | show | apply``: the first configuration of boards, from one table."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

import yaml

from edgeagent.bench.table import ABSENT, TextTable
from edgeagent.bench.terminal import show_tables
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.files.naming import printable, redact
from edgeagent.provisioning.applying import CONFIGURATION, ApplyOptions, apply_provision
from edgeagent.provisioning.document import SUFFIX, read_provision
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.provisioning.identity import read_identity
from edgeagent.provisioning.making import (
    Common,
    MadeProvision,
    make_provisions,
    read_base,
    write_provisions,
)
from edgeagent.provisioning.owned_files import Ownership
from edgeagent.provisioning.redaction import shown_provision
from edgeagent.provisioning.sources import find_provision, search_provision
from edgeagent.provisioning.table import COLUMNS, FILE_COLUMNS, ONE_BOARD
from edgeagent.settings.installed import INSTALLED

DESCRIPTION = """\
Give boards their configuration in one step: a table of devices becomes one file a board, with the broker,
credentials, the trusted root of the model repository, labels and cameras. The files go on a stick or boot
partition; each board takes its own, once."""

EPILOG = """\
from a table to boards:
  edgeagent provision make --devices devices.csv --out stick --broker broker.local --root 1.root.json \\
      --repository https://models.example.org
  edgeagent provision show stick/gate-07.edgeagent
  edgeagent provision apply /media/stick           on the board; the package does it at the first boot"""

MAKE = """\
Make one file for each row of a table. Every row is checked as its board checks it, with all files that it
names; if one is wrong, each mistake is told with its line and nothing is written.

The table is CSV with a header, UTF-8, commas or semicolons. Empty cells and missing columns take the value
of the option of the same name; anything else comes from --base, a configuration as in
config/edgeagent.yaml that need not be complete. columns:
"""

MAKE_MORE = """\
{device} in a value is replaced by the name of the device; files in the table are relative to the table, those
of options to the working folder. Relative names of files in --base are read here, absolute ones are names on
the boards. Secrets are never printed; the made files hold them, readable for you only.

examples:
  edgeagent provision make --devices devices.csv --out stick --base fleet.yaml
  edgeagent provision make --devices devices.csv --out stick --broker broker.local:8883 --ca ca.pem \\
      --username {device} --password-file secrets/{device} \\
      --repository https://models.example.org --root fleet/repository/metadata/1.root.json"""

SHOW = """\
Show a provisioning file without its secrets, and verify its hash.

examples:
  edgeagent provision show stick/gate-07.edgeagent
  edgeagent provision show stick/gate-07.edgeagent --json"""

APPLY = """\
Write the configuration of this board from a provisioning file, or from a folder with the files of many
boards: of these the one whose serial, machine_id and mac are those of this board, else the one that is named
like this host, else the only one. Everything is checked first; a crash or a power cut leaves the old
configuration or the whole new one, and the command can be repeated.

Passwords, certificates and trusted root go to FOLDER/provisioned, a record without secrets to
provisioned/record.json. Afterwards the file is removed from its medium. A configuration that somebody edited
is not overwritten without --replace.

examples:
  sudo edgeagent provision apply /media/stick
  sudo edgeagent provision apply gate-07.edgeagent --keep
  sudo edgeagent provision apply --search                    on boot partition and mounted media"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``provision`` and its actions."""
    parser = commands.add_parser(
        "provision",
        help="give boards their configuration, credentials and trusted root",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    _add_make(actions)
    show = _action(actions, "show", "show a provisioning file without its secrets", SHOW)
    show.add_argument("file", type=Path, metavar="FILE", help=f"provisioning file (*{SUFFIX})")
    add_json_options(show)
    show.set_defaults(run=run_show)
    _add_apply(actions)


def _add_make(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    columns = "".join(f"  {name:14}{text}\n" for name, text in COLUMNS.items())
    make = _action(actions, "make", "make one file a board from a table", MAKE + columns, MAKE_MORE)
    make.add_argument("--devices", type=Path, required=True, metavar="FILE", help="table of devices, CSV")
    make.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help=f"folder for the files, NAME{SUFFIX}"
    )
    make.add_argument(
        "--base", type=Path, metavar="FILE", help="configuration that all boards have in common"
    )
    for name, text in COLUMNS.items():
        if name not in ONE_BOARD:
            kind = "FILE" if name in FILE_COLUMNS else "TEXT"
            option = f"--{name.replace('_', '-')}"
            make.add_argument(option, dest=f"column_{name}", metavar=kind, help=f"for all boards: {text}")
    add_json_options(make)
    make.set_defaults(run=run_make)


def _add_apply(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    apply = _action(actions, "apply", "write the configuration of this board", APPLY)
    where = apply.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "place", type=Path, nargs="?", metavar="FILE|DIR", help="provisioning file or folder of them"
    )
    where.add_argument(
        "--search", action="store_true", help="look on the boot partition and on mounted media"
    )
    apply.add_argument(
        "--to",
        type=Path,
        default=INSTALLED.parent,
        metavar="FOLDER",
        help="configuration (default: %(default)s)",
    )
    apply.add_argument(
        "--replace", action="store_true", help="replace a configuration that was edited by hand, too"
    )
    apply.add_argument(
        "--keep", action="store_true", help="do not remove the file; make it readable for root only"
    )
    apply.add_argument(
        "--any-board", action="store_true", help="take FILE although it is for a board with other facts"
    )
    add_json_options(apply)
    apply.set_defaults(run=run_apply)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    line: str,
    text: str,
    more: str = "",
) -> argparse.ArgumentParser:
    return actions.add_parser(
        name, help=line, description=text, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run_make(arguments: argparse.Namespace) -> int:
    """Make the files of a table."""
    given = {name: getattr(arguments, f"column_{name}", None) for name in COLUMNS}
    values = {name: value for name, value in given.items() if value is not None}
    common = Common(values) if arguments.base is None else Common(values, read_base(arguments.base))
    made = make_provisions(arguments.devices, common)
    paths = write_provisions(made, arguments.out)
    table = TextTable(
        f"{printable(arguments.out)}: {len(made)} provisioning files",
        ("", "board", "cameras", "broker", "account", "repository"),
        tuple(_row(one) for one in made),
    )
    others = sorted({path.name for path in arguments.out.glob(f"*{SUFFIX}")} - {path.name for path in paths})
    notes = ["they hold secrets: keep the medium safe, and apply them soon"]
    if others:
        notes.append(f"of other tables, left as they were: {', '.join(map(printable, others))}")
    if arguments.json:
        files = [
            {"device": one.provision.device, "file": str(path)} for one, path in zip(made, paths, strict=True)
        ]
        give_result(arguments, {"files": files, "others": others})
    else:
        show_tables([table], notes)
    return 0


def _row(made: MadeProvision) -> tuple[str, ...]:
    settings, facts = made.settings, made.provision.board.given()
    mqtt, delivery = settings.mqtt, settings.delivery
    account = "certificate" if mqtt.tls is not None and mqtt.tls.certificate is not None else mqtt.username
    return (
        made.file,
        " ".join(f"{name} {value}" for name, value in facts.items()) or "by name",
        ", ".join(camera.name for camera in settings.cameras),
        f"{mqtt.host}:{mqtt.port}{' TLS' if mqtt.tls else ''}" if mqtt.host else ABSENT,
        account or ABSENT,
        f"{redact(delivery.repository)} {delivery.channel}" if delivery else ABSENT,
    )


def run_show(arguments: argparse.Namespace) -> int:
    """Show a provisioning file."""
    shown = shown_provision(read_provision(arguments.file))
    if arguments.json:
        give_result(arguments, shown)
    else:
        print(yaml.safe_dump(shown, allow_unicode=True, sort_keys=False, width=10_000), end="")
    return 0


def run_apply(arguments: argparse.Namespace) -> int:
    """Apply the provisioning file of this board."""
    if arguments.any_board and (arguments.search or arguments.place.is_dir()):
        raise ProvisioningError("--any-board goes with a file, not with a folder")
    identity = read_identity()
    if arguments.search:
        found = search_provision(identity)
    else:
        found = find_provision(arguments.place, identity, any_board=arguments.any_board)
    options = ApplyOptions(
        arguments.replace, arguments.keep, Ownership.of_service(), lambda: datetime.now(timezone.utc)
    )
    done = apply_provision(found, arguments.to, options)
    configuration = arguments.to / CONFIGURATION
    print(f"{configuration}: {'that of' if done.changed else 'is already that of'} {found.provision.device}")
    print(f"{printable(found.path)}: {done.source}")
    if done.changed and arguments.to == INSTALLED.parent:
        print("a service that runs takes it with: sudo systemctl restart edgeagent")
    give_result(
        arguments,
        {
            "device": found.provision.device,
            "configuration": str(configuration),
            "changed": done.changed,
            "file": printable(found.path),
            "source": done.source,
        },
    )
    return 0
