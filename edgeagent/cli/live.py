"""``edgeagent live``: live changes of the configuration, shown, made, undone and saved."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.reload import add_agent_options, agent_state, print_result
from edgeagent.cli.subcommand import add_subcommand
from edgeagent.daemon.live.control_client import NoAgentError, ask_agent
from edgeagent.errors import ConfigurationError
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from edgeagent.settings.file import read_own
from edgeagent.settings.installed import require_configuration_file
from edgeagent.settings.live.changes import LiveChange, covers, read_changes, write_changes
from edgeagent.settings.live.layers import LowerLayers, key_sources
from edgeagent.settings.live.saving import save_changes

DESCRIPTION = """\
Show, make, undo and save live changes: values on top of the configuration file that the agent took while it
ran, from MQTT, this command or a page. They last over restarts, in live.yaml of the state folder. The order
is: defaults, configuration file, signed configuration (without the keys of delivery.local), live changes.

examples:
  edgeagent live show                                where the value of each key comes from
  edgeagent live set model.score_threshold=0.5       change a key at once
  edgeagent live set 'cameras.dock={source: /dev/video1}'    add a camera; cameras.dock=null removes it
  edgeagent live undo model.score_threshold          the file and the signed configuration count again
  edgeagent live undo                                undo all live changes
  sudo edgeagent live save                           move them into the configuration file, comments kept"""


SHOW = """\
Show every key that is set, and where its value comes from: file, signed or live, the last with who and when.
Credentials in addresses are left out. Without a running agent the signed configuration is not shown.

examples:
  edgeagent live show
  edgeagent live show -c edgeagent.yaml --json"""

SET = """\
Change keys of the running agent, all or none, and over restarts. Keys that need a new start are refused.

examples:
  edgeagent live set model.score_threshold=0.5 telemetry.interval=5s
  edgeagent live set 'cameras.yard.zones=[{name: gate, polygon: [[0, 0], [1, 0], [1, 1]]}]'
  edgeagent live set cameras.dock=null           remove a camera"""

UNDO = """\
Remove live changes: the file and the signed configuration count again, at once.

examples:
  edgeagent live undo cameras.yard               all live changes of a camera
  edgeagent live undo                            all live changes"""

SAVE = """\
Move all live changes into the configuration file. Its comments, order and quotes stay; the file is only
replaced if it then means exactly the same. Needs ruamel.yaml: pip install edgeagent[live].

examples:
  sudo edgeagent live save
  edgeagent live save -c edgeagent.yaml"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``live`` with its commands."""
    parser = commands.add_parser(
        "live",
        help="show, make, undo and save changes of the running configuration",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = add_subcommand(inner, "show", "show every key that is set, and where its value comes from", SHOW)
    change = add_subcommand(inner, "set", "change keys of the running agent", SET)
    change.add_argument("values", nargs="+", metavar="KEY=VALUE", help="value as in the file, in YAML")
    undo = add_subcommand(inner, "undo", "remove live changes", UNDO)
    undo.add_argument("keys", nargs="*", metavar="KEY", help="key or section (default: all live changes)")
    save = add_subcommand(inner, "save", "move all live changes into the configuration file", SAVE)
    for command, function in ((show, _show), (change, _set), (undo, _undo), (save, _save)):
        add_agent_options(command)
        add_json_options(command)
        command.set_defaults(run=function)


def _show(arguments: argparse.Namespace) -> int:
    """Print every key that is set, with its layer."""
    state = agent_state(arguments, "edgeagent live show")
    try:
        found = ask_agent(state, {"request": "show"})
    except NoAgentError:
        own = read_own(require_configuration_file(arguments.config))
        keys = key_sources(LowerLayers(own, own.document.data), read_changes(state))
        found = {"keys": [asdict(key) for key in keys], "waiting": {}}
        print("no agent runs; without the keys of a signed configuration:")
    for key in found["keys"]:
        who = f"  ({key['by']}, {key['time']})" if key["by"] else ""
        print(f"{key['layer']:<8}{key['key']}: {json.dumps(key['value'], ensure_ascii=False)}{who}")
    for name, why in found["waiting"].items():
        print(f"{'waits':<8}{name}: needs a new start: {why}")
    give_result(arguments, found)
    return 0


def _set(arguments: argparse.Namespace) -> int:
    """Change keys of the running agent."""
    values = dict(_key_and_value(text) for text in arguments.values)
    result = ask_agent(agent_state(arguments, "edgeagent live set"), {"request": "set", "values": values})
    return _give(arguments, result)


def _undo(arguments: argparse.Namespace) -> int:
    """Remove live changes, of the running agent or of the next start."""
    state = agent_state(arguments, "edgeagent live undo")
    try:
        result = ask_agent(state, {"request": "undo", "keys": arguments.keys})
    except NoAgentError:
        present = read_changes(state)
        gone = [one for one in present if not arguments.keys or _named(one, arguments.keys)]
        if arguments.keys and not gone:
            raise ConfigurationError(f"no live change of {', '.join(arguments.keys)}") from None
        write_changes(state, [one for one in present if one not in gone])
        result = {"applied": [one.key for one in gone], "waiting": {}, "hidden": []}
    return _give(arguments, result)


def _save(arguments: argparse.Namespace) -> int:
    """Write live changes into the file, and make the agent drop those that the file has now."""
    file = require_configuration_file(arguments.config)
    state = agent_state(arguments, "edgeagent live save")
    changes = read_changes(state)
    save_changes(file, changes)
    try:
        ask_agent(state, {"request": "saved"})
    except NoAgentError:
        write_changes(state, ())
    saved = [one.key for one in changes]
    for key in saved:
        print(f"{'saved':<12}{key}")
    left = [one.key for one in read_changes(state)]
    for key in left:
        print(f"{'stays live':<12}{key}: the signed configuration sets it; name it in delivery.local")
    if not saved:
        print("there are no live changes")
    give_result(arguments, {"file": str(file), "saved": saved, "live": left})
    return 0


def _give(arguments: argparse.Namespace, result: dict[str, Any]) -> int:
    print_result(result)
    give_result(arguments, result)
    return 0


def _named(change: LiveChange, keys: list[str]) -> bool:
    return any(covers(key, change.key) for key in keys)


def _key_and_value(text: str) -> tuple[str, Any]:
    """Return key and value of ``KEY=VALUE``, whose value is YAML.

    Raises:
        ConfigurationError: there is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text[:60]}: expected KEY=VALUE, such as model.score_threshold=0.5")
    try:
        return key.strip(), parse(f"value: {value}".encode()).data["value"]
    except YamlMistakeError as error:
        raise ConfigurationError(f"{key[:60]}: {error}") from None
