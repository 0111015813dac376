# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of ``./lab``: which verb, which words, which options.

The front door loads this file by its path, before Ansible is there. It imports nothing but Python.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import typing as t
from pathlib import Path

JSON = ("--json", "print one JSON document and nothing else, for programs")
VERBS = {
    "demo": "create a lab with synthetic data, to try everything out",
    "local": "create a lab on this computer that streams DESI data or uses your own",
    "ec2": "create a lab on your own Amazon EC2 machine, next to the data",
    "status": "list your labs, what they cost, and what happens next",
    "url": "print the URL of a lab, and nothing else",
    "open": "open a lab in the browser",
    "run": "run a notebook in a lab from first cell to last, and save its outputs next to it",
    "stop": "stop a lab; files, installed packages and streamed data stay",
    "start": "start a stopped lab again",
    "update": "switch a lab to the newest image or another machine; data and files stay",
    "shell": "open a shell in a lab, or run a command in it: ./lab shell -- COMMAND",
    "logs": "print what the server of a lab wrote, without its token",
    "sync": "sync your files between a lab on EC2 and this computer",
    "prefetch": "download files before you need them",
    "down": "remove a lab; your files stay",
    "doctor": "check this computer and AWS, and say how to fix problems",
    "test": "test DESI Lab itself: lint, unit, molecule, cloud, e2e (default: all of these), security, sequences",
}
# Of verbs that take further words: what they are called, and how many there are at most.
WORDS = {"run": "NOTEBOOK", "help": "VERB", "shell": "[-- COMMAND ...]"}
WITH_JSON = tuple(verb for verb in VERBS if verb not in ("shell", "logs", "test"))
# The options of ansible-playbook, by the letter that each has, or its first long name: whether a value follows.
SHORT = {
    **dict.fromkeys("uctTilefM", True),
    **dict.fromkeys("vkbKCDJh", False),
}
LONG = {
    **dict.fromkeys(("--private-key", "--key-file", "--user", "--connection", "--timeout", "--ssh-common-args"), True),
    **dict.fromkeys(("--sftp-extra-args", "--scp-extra-args", "--ssh-extra-args", "--connection-password-file"), True),
    **dict.fromkeys(("--conn-pass-file", "--become-method", "--become-user", "--become-password-file"), True),
    **dict.fromkeys(
        ("--become-pass-file", "--tags", "--skip-tags", "--inventory", "--inventory-file", "--limit"), True
    ),
    **dict.fromkeys(("--extra-vars", "--vault-id", "--vault-password-file", "--vault-pass-file", "--forks"), True),
    **dict.fromkeys(("--module-path", "--start-at-task"), True),
    **dict.fromkeys(("--verbose", "--ask-pass", "--force-handlers", "--become", "--ask-become-pass", "--check"), False),
    **dict.fromkeys(("--diff", "--list-hosts", "--flush-cache", "--ask-vault-password", "--ask-vault-pass"), False),
    **dict.fromkeys(("--syntax-check", "--list-tasks", "--list-tags", "--step", "--help", "--version"), False),
    "--json": False,
    "--follow": False,
    "--tail": True,
}
# NAME=VALUE, several times. In quotes, or the path of a folder, a value may hold blanks and what looks like a name.
# A name may be misspelt, which is told where it is read.
_SETTING = re.compile(
    r"""\s*(?P<name>[A-Za-z_][\w-]*)=(?:
    (?P<quote>["'])(?P<quoted>.*?)(?P=quote)(?=\s*$|\s+[A-Za-z_][\w-]*=)
    | (?P<path>[/~.].*?)(?=\s*$|\s+(?i:lab|desi|ansible)[_-][\w-]+=)
    | (?P<other>.*?)(?=\s*$|\s+[A-Za-z_][\w-]*=))""",
    re.VERBOSE | re.DOTALL,
)


class Refused(Exception):
    """An error of the caller: what, why, and what to do."""


class Asked(t.NamedTuple):
    """What the arguments ask for; ``options`` are those of ansible-playbook, ``own`` those of the front door."""

    verb: str
    words: tuple[str, ...]
    options: tuple[str, ...]
    own: tuple[str, ...]


def parse(arguments: t.Sequence[str]) -> Asked:
    """Return what is asked for. Options and words come in any order; what follows ``--`` is words alone."""
    words: list[str] = []
    options: list[str] = []
    own: list[str] = []
    rest = list(arguments)
    # What is -f of ansible-playbook, --forks, has no use here.
    follows = "logs" in _before_dashes(rest)
    while rest:
        each = rest.pop(0)
        if each == "--":
            words += rest
            break
        if each.startswith("--"):
            _long(each, rest, options, own)
        elif each.startswith("-") and each != "-":
            _short(each, rest, options, own, follows)
        else:
            if words == ["shell"]:
                _check_command([each, *rest])
            words.append(each)
    return Asked(words[0] if words else "", tuple(words[1:]), tuple(options), tuple(own))


def _before_dashes(words: t.Sequence[str]) -> t.Sequence[str]:
    return words[: [*words, "--"].index("--")]


def _check_command(command: t.Sequence[str]) -> None:
    """Refuse options among the words of a command in a lab, which would be read as those of ./lab."""
    typed = iter(_before_dashes(command))
    for word in typed:
        is_setting = re.match(r"(-e|--extra-vars=)lab_\w+=", word)
        if word in ("-e", "--extra-vars"):
            # Of grep -e NAME=VALUE, say, it is the command's.
            is_setting = re.match(r"lab_\w+=|[@{]", next(typed, ""))
        if word.startswith("-") and not is_setting:
            why = f"{word} may be an option of {command[0]} or of ./lab."
            do = f"Write -- before the command: ./lab shell -- {shlex.join(command)}"
            raise Refused(f"./lab shell does not know what {word} is.", why, do)


def _long(given: str, rest: list[str], options: list[str], own: list[str]) -> None:
    name, equals, value = given.partition("=")
    meant = [name] if name in LONG else [each for each in LONG if each.startswith(name)]
    if len(meant) != 1:
        raise Refused(f"There is no option {name}.", _nearest(name, LONG), "See ./lab --help, or ./lab VERB --help.")
    (name,) = meant
    if not LONG[name]:
        if equals:
            raise Refused(f"The option {name} takes no value.", f"It was given {value}.", f"Write {name} alone.")
        (own if name in ("--help", "--version", "--json", "--follow", "--ask-become-pass") else options).append(name)
        return
    value = value if equals else _value(name, rest)
    (own if name == "--tail" else options).extend([name, settings(value) if name == "--extra-vars" else value])


def _short(given: str, rest: list[str], options: list[str], own: list[str], follows: bool) -> None:
    """Read letters in one word, as in -vKC or -elab_port=1."""
    for place, letter in enumerate(given[1:], 1):
        if letter not in SHORT:
            raise Refused(f"There is no option -{letter}.", f"It is in {given}.", "See ./lab --help.")
        if letter == "f" and follows:
            own.append("--follow")
        elif SHORT[letter]:
            value = given[place + 1 :] or _value(f"-{letter}", rest)
            options += [f"-{letter}", settings(value) if letter == "e" else value]
            return
        elif letter in "hK":
            own.append({"h": "--help", "K": "--ask-become-pass"}[letter])
        else:
            options.append(f"-{letter}")


def settings(text: str) -> str:
    """Return settings as JSON where Ansible would cut a value at a blank, or read quotes and backslashes in it."""
    if not _SETTING.match(text) or not re.search(r"[\s'\"\\]", text):
        return text
    values = {each["name"]: each["quoted"] or each["path"] or each["other"] or "" for each in _SETTING.finditer(text)}
    return json.dumps(values) if any(name.startswith("lab_") for name in values) else text


def _value(name: str, rest: list[str]) -> str:
    if not rest or rest[0] == "--":
        raise Refused(f"The option {name} needs a value.", "Nothing follows it.", f"Write it as {name} VALUE.")
    return rest.pop(0)


def _nearest(word: str, known: t.Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f"The nearest is {near[0]}." if near else "None has a similar name."


def check(asked: Asked) -> None:
    """Refuse an unknown verb, and words and options that a verb does not take."""
    verb, known = asked.verb, [*VERBS, "help"]
    if verb not in known:
        raise Refused(f"There is no verb {verb}.", _nearest(verb, known), "See them with ./lab help.")
    if verb != "shell" and len(asked.words) > (verb in WORDS):
        extra = asked.words[verb in WORDS]
        do = f"Give it as a setting: -e {extra}" if "=" in extra else f"See ./lab {verb} --help."
        raise Refused(f"./lab {verb} does not know what {extra} is.", "It is no option and no setting.", do)
    if "--tail" in asked.own:
        count = asked.own[asked.own.index("--tail") + 1]
        if verb != "logs":
            raise Refused(f"./lab {verb} has no option --tail.", "It is one of ./lab logs.", "Leave it out.")
        if not (count.isascii() and count.isdigit()):
            raise Refused(f"--tail {count} cannot work.", "It takes a number of lines.", "For example: --tail 100")
    if "--follow" in asked.own and verb != "logs":
        raise Refused(f"./lab {verb} has no option --follow.", "It is one of ./lab logs.", "Leave it out.")
    if "--json" in asked.own and verb not in WITH_JSON:
        raise Refused(f"./lab {verb} prints no JSON.", f"These verbs do: {', '.join(WITH_JSON)}.", "Leave --json out.")


def check_options(options: t.Sequence[str]) -> None:
    """Refuse settings that Ansible could not read, and a number of processes or seconds that is none."""
    for name, value in zip(options, options[1:]):
        if name in ("-e", "--extra-vars"):
            _check_settings(value)
        counted = {"-f": "processes", "--forks": "processes", "-T": "seconds", "--timeout": "seconds"}.get(name)
        if counted and not (value.isascii() and value.isdigit() and int(value)):
            raise Refused(
                f"{name} {value} cannot work.", f"It takes a number of {counted}, at least 1.", "Leave it out."
            )


def _check_settings(given: str) -> None:
    import yaml

    do = """Write one as -e lab_x=value, or several as JSON: -e '{"lab_folder": "/home/ann/my data"}'."""
    of_file = given.startswith("@")
    # What was typed is not repeated: it may be a secret.
    what = f"The settings in {given[1:]} cannot be read." if of_file else "The settings given with -e cannot be read."
    try:
        path = Path(os.path.expandvars(given[1:])).expanduser()
        if of_file and path.is_fifo():
            raise Refused(what, "It is a pipe, which Ansible does not take.", "Write the settings into a file.")
        if not given.startswith(("@", "{", "[")):
            return
        text = path.read_bytes() if of_file else given.encode()
        if text.startswith(b"$ANSIBLE_VAULT"):
            return
        try:
            # Ansible tries JSON first, too: YAML takes no tabs.
            is_map = isinstance(json.loads(text), dict)
        except ValueError:
            node = yaml.compose(text, yaml.SafeLoader)
            is_map = not node or node.tag == "tag:yaml.org,2002:map"
    except OSError as error:
        raise Refused(what, f"{error.strerror}.", "Check the path behind the @.") from None
    except (yaml.YAMLError, RuntimeError) as error:
        why = getattr(error, "problem", "") or "It is neither JSON nor YAML"
        raise Refused(what, f"{why[:1].upper()}{why[1:]}.", do) from None
    if not is_map:
        raise Refused(what, "It has no names of settings with their values.", do)
