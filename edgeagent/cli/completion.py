"""``edgeagent completion``: completion scripts for shells, generated from the parser.

A script is static: the shell starts nothing when a person presses Tab. docs/adr/0032 names the libraries that
were considered.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

DESCRIPTION = """\
Print a completion script for a shell; it completes commands, options and their values.

examples:
  edgeagent completion bash | sudo tee /usr/share/bash-completion/completions/edgeagent
  edgeagent completion zsh > ~/.zfunc/_edgeagent
  edgeagent completion fish > ~/.config/fish/completions/edgeagent.fish"""


@dataclass(frozen=True)
class CommandWords:
    """Words that may follow a command.

    Attributes:
        path: of the command, such as ``qat train``; empty for the program itself.
        commands: of its parts, with their help.
        options: with their help.
        values: allowed values of an option, by each of its names; of positional arguments under "".
    """

    path: str
    commands: dict[str, str]
    options: dict[str, str]
    values: dict[str, tuple[str, ...]]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``completion``."""
    parser = commands.add_parser(
        "completion",
        help="print a completion script for bash, zsh or fish",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="shell that reads the script")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    words = list(command_words(arguments.parser))
    print(SCRIPTS[arguments.shell](words), end="")
    return 0


def command_words(parser: argparse.ArgumentParser, path: str = "") -> Iterator[CommandWords]:
    """Yield the words of a parser and of all its commands."""
    commands: dict[str, str] = {}
    options: dict[str, str] = {}
    values: dict[str, tuple[str, ...]] = {}
    below: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = dict(action.choices)
            commands = {part.dest: part.help or "" for part in action._choices_actions}
            continue
        for option in action.option_strings:
            options[option] = (action.help or "").split(";")[0].split("(")[0].replace("%%", "%").strip()
        for name in action.option_strings or [""]:
            if action.choices is not None:
                values[name] = tuple(map(str, action.choices))
    yield CommandWords(path, commands, options, values)
    for name, part in below.items():
        yield from command_words(part, f"{path} {name}".strip())


def bash_script(words: list[CommandWords]) -> str:
    """Return a script for bash."""
    return f"""\
# Completion of edgeagent for bash, made by `edgeagent completion bash`.
_edgeagent() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" path="" next number
    for ((number = 1; number < COMP_CWORD; number++)); do
        next="${{path:+$path }}${{COMP_WORDS[number]}}"
        case "$next" in
            {_paths(words)}) path="$next" ;;
        esac
    done
    COMPREPLY=()
    case "$path:$previous" in
{_bash_values(words)}    esac
    case "$path" in
{_bash_words(words)}    esac
}}
complete -o default -F _edgeagent edgeagent
"""


def zsh_script(words: list[CommandWords]) -> str:
    """Return a script for zsh, which runs that of bash."""
    return f"""\
#compdef edgeagent
autoload -U +X bashcompinit && bashcompinit
{bash_script(words)}"""


def fish_script(words: list[CommandWords]) -> str:
    """Return a script for fish."""
    lines = [
        "# Completion of edgeagent for fish, made by `edgeagent completion fish`.",
        f"set -g __edgeagent_paths {' '.join(shlex.quote(one.path) for one in words if one.path)}",
        "function __edgeagent_at",
        "    set -l path ''",
        "    for word in (commandline -opc)[2..-1]",
        '        set -l next (string trim -- "$path $word")',
        "        contains -- $next $__edgeagent_paths; and set path $next",
        "    end",
        '    test "$path" = "$argv[1]"',
        "end",
    ]
    for one in words:
        at = f"complete -c edgeagent -n {shlex.quote(f'__edgeagent_at {shlex.quote(one.path)}')}"
        for name, text in one.commands.items():
            lines.append(f"{at} -f -a {name} -d {_fish_quoted(text)}")
        for name, text in one.options.items():
            kind = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            allowed = f" -x -a {_fish_quoted(' '.join(one.values[name]))}" if name in one.values else ""
            lines.append(f"{at} {kind}{allowed} -d {_fish_quoted(text)}")
        if "" in one.values:
            lines.append(f"{at} -f -a {_fish_quoted(' '.join(one.values['']))}")
    return "\n".join(lines) + "\n"


SCRIPTS: dict[str, Callable[[list[CommandWords]], str]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
}


def _paths(words: list[CommandWords]) -> str:
    return "|".join(shlex.quote(one.path) for one in words if one.path)


def _bash_values(words: list[CommandWords]) -> str:
    lines = []
    for one in words:
        for option, values in one.values.items():
            if option:
                lines.append(_bash_reply(f"{one.path}:{option}", values, "; return"))
    return "".join(lines)


def _bash_words(words: list[CommandWords]) -> str:
    return "".join(
        _bash_reply(one.path, (*one.commands, *one.options, *one.values.get("", ()))) for one in words
    )


def _bash_reply(case: str, words: tuple[str, ...], more: str = "") -> str:
    listed = shlex.quote(" ".join(words))
    return f'        {shlex.quote(case)}) COMPREPLY=($(compgen -W {listed} -- "$current")){more} ;;\n'


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
