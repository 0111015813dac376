# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of ``./lab``: which verb, which words, which options, and what is said about them.

``lab`` runs this file by itself, before Ansible is there. It imports nothing but Python and the file next to it.
"""

from __future__ import annotations

import difflib
import getpass
import importlib.util
import json
import locale
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import textwrap
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
    "test": "test DESI Lab itself (lint, unit, molecule, cloud, e2e, security; default: all)",
}
# Of verbs that take further words: what they are called, and how many there are at most.
WORDS = {"run": "NOTEBOOK", "help": "VERB", "shell": "[-- COMMAND ...]"}
# Their document is one of their own; that of others is what the run told (callback desi.lab.steps).
OWN_JSON = ("status", "doctor")
WITH_JSON = tuple(verb for verb in VERBS if verb not in ("shell", "logs", "test"))
QUIET = ("url", "status", "shell", "logs")
# Of these a playbook only locates the lab, and this command then becomes, or reads, docker or ssh.
SESSIONS = ("shell", "logs")
OF_LOGS = (("-f, --follow", "go on with what it writes from now on"), ("--tail N", "print the last N lines alone"))
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
    "--tail": True,
}
COMMON = (
    ("--check", "show what would be done without doing it"),
    ("-v", "print more; -vvv prints everything"),
    ("-K", "ask for your sudo password first, where sudo wants one"),
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
    follows = "logs" in rest[: rest.index("--")] if "--" in rest else "logs" in rest
    while rest:
        each = rest.pop(0)
        if follows and each in ("-f", "--follow"):
            own.append("--follow")
            continue
        if each == "--":
            words += rest
            break
        if each.startswith("--"):
            _long(each, rest, options, own)
        elif each.startswith("-") and each != "-":
            _short(each, rest, options, own)
        else:
            words.append(each)
    return Asked(words[0] if words else "", tuple(words[1:]), tuple(options), tuple(own))


def _long(given: str, rest: list[str], options: list[str], own: list[str]) -> None:
    name, equals, value = given.partition("=")
    meant = [name] if name in LONG else [each for each in LONG if each.startswith(name)]
    if len(meant) != 1:
        raise Refused(f"There is no option {name}.", _nearest(name, LONG), "See ./lab --help, or ./lab VERB --help.")
    (name,) = meant
    if not LONG[name]:
        if equals:
            raise Refused(f"The option {name} takes no value.", f"It was given {value}.", f"Write {name} alone.")
        (own if name in ("--help", "--version", "--json", "--ask-become-pass") else options).append(name)
        return
    (own if name == "--tail" else options).extend([name, value if equals else _value(name, rest)])


def _short(given: str, rest: list[str], options: list[str], own: list[str]) -> None:
    """Read letters in one word, as in -vKC or -elab_port=1."""
    for place, letter in enumerate(given[1:], 1):
        if letter not in SHORT:
            raise Refused(f"There is no option -{letter}.", f"It is in {given}.", "See ./lab --help.")
        if SHORT[letter]:
            options += [f"-{letter}", given[place + 1 :] or _value(f"-{letter}", rest)]
            return
        if letter in "hK":
            own.append({"h": "--help", "K": "--ask-become-pass"}[letter])
        else:
            options.append(f"-{letter}")


def _value(name: str, rest: list[str]) -> str:
    if not rest or rest[0] == "--":
        raise Refused(f"The option {name} needs a value.", "Nothing follows it.", f"Write it as {name} VALUE.")
    return rest.pop(0)


def _nearest(word: str, known: t.Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f"The nearest is {near[0]}." if near else "None has a similar name."


def check(asked: Asked) -> None:
    """Refuse a verb that there is none of, and words and options that a verb does not take."""
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
    if "--json" in asked.own and verb not in WITH_JSON:
        raise Refused(f"./lab {verb} prints no JSON.", f"These verbs do: {', '.join(WITH_JSON)}.", "Leave --json out.")


def usage(width: int) -> str:
    """Return the help of the whole command."""
    lines = ["usage: ./lab VERB [settings] [options], in any order", ""]
    rows = {f"{verb} {WORDS[verb]}" if verb in WORDS else verb: about for verb, about in VERBS.items()}
    lines += [line for verb, about in rows.items() for line in _row(verb, about, 14, width)]
    lines += ["", "options, most of them of ansible-playbook:"]
    more = (("VERB --help", "print the settings of a verb"), JSON, ("--version", "print the version"))
    lines += [line for option, about in (*more, *COMMON) for line in _row(option, about, 14, width)]
    lines += ["", "Settings are given as -e lab_x=value, for example -e lab_name=mine; README.md lists them all."]
    return "\n".join(lines)


def verb_help(verb: str, root: Path, width: int) -> str:
    """Return the help of one verb: what it does, its options, and its settings with their defaults."""
    words = f" {WORDS[verb]}" if verb in WORDS else ""
    lines = [
        f"usage: ./lab {verb}{words} [settings] [options], in any order",
        "",
        f"{VERBS[verb][0].upper()}{VERBS[verb][1:]}.",
        "",
    ]
    options = [*([JSON] if verb in WITH_JSON else []), *(OF_LOGS if verb == "logs" else []), *COMMON]
    lines += [line for option, about in options for line in _row(option, about, 12, width)]
    specs = _load_yaml(root / "roles/lab/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    used = {f"lab_{name}" for name in settings_of(root / "playbooks" / f"{verb}.yml")}
    lines += ["", "settings and their defaults:"]
    for name, spec in specs.items():
        if name in used:
            about = spec["description"] if isinstance(spec["description"], str) else spec["description"][0]
            choices = f" One of {', '.join(spec['choices'])}." if spec.get("choices") else ""
            lines.append(f"  -e {name}={_shown(spec['default'])}")
            lines += textwrap.wrap(plain(about) + choices, width - 6, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def settings_of(playbook: Path) -> set[str]:
    """Return the settings that a playbook reads, and those that it imports: only playbooks hand them to roles."""
    text = playbook.read_text(encoding="utf-8")
    found = set(re.findall(r"\b(?:lab|__settings)\.(?:given\.)?([a-z0-9_]+)", text)) | {"name"}
    # The action of role lab that chooses the directory, which is no playbook.
    if re.search(r"lab_chooses_directory: (?!false)", text):
        found |= {"folder", "folder_anyway"}
    for imported in re.findall(r"import_playbook: (\S+)", text):
        found |= settings_of(playbook.parent / imported)
    return found


def plain(text: str) -> str:
    """Return a description without the markup of Ansible's documentation."""
    text = re.sub(r"\bV\(\)", "empty", text)
    return re.sub(r"\b[A-Z]\((.*?)\)", r"\1", text)


def _shown(default: object) -> str:
    return json.dumps(default) if isinstance(default, (bool, list)) else str(default)


def _row(name: str, about: str, column: int, width: int) -> list[str]:
    return textwrap.wrap(about, width, initial_indent=f"  {name:<{column}}", subsequent_indent=" " * (column + 2))


def version(root: Path) -> str:
    """Return the version of this clone."""
    found = re.search(r"^version: *(\S+)", (root / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return f"DESI Lab {found[1] if found else '(unknown)'}"


def command(asked: Asked, root: Path, python: str) -> tuple[list[str], dict[str, str]]:
    """Return the command of a verb and what it adds to the environment."""
    added = {}
    options = list(asked.options)
    if asked.verb in QUIET or "--json" in asked.own:
        # What a verb prints for programs is the verb's own.
        added["DESI_LAB_QUIET"] = "1"
    if "--json" in asked.own:
        added["DESI_LAB_JSON"] = "1"
        options = [*(["-e", "desi_output=json"] if asked.verb in OWN_JSON else []), *options]
    if asked.verb == "run" and asked.words:
        # Not as a setting: a name may hold anything that Ansible would read as something else.
        added["DESI_LAB_NOTEBOOK"] = asked.words[0]
    # The inventory is this computer. Another one that is named with -i comes on top of it.
    playbook = ["-i", f"{root}/inventories/local.yml", f"{root}/playbooks/{asked.verb}.yml"]
    return [python, "-I", f"{Path(python).parent}/ansible-playbook", *playbook, *options], added


def environment(environ: t.Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the environment of a run."""
    rules = _beside("_surroundings")
    user = pwd.getpwuid(os.getuid()).pw_dir if _known(os.getuid()) else "/"
    found = rules.surroundings(environ, user, _speaks(), lambda path: os.access(path, os.W_OK | os.X_OK))
    found["PATH"] = f"{root}/.venv/bin{os.pathsep}{found['PATH']}"
    found["ANSIBLE_CONFIG"] = f"{root}/ansible.cfg"
    found["ANSIBLE_COLLECTIONS_PATH"] = f"{root}/.collections"
    # What a machine answers must not become a variable, whatever this shell says.
    found["ANSIBLE_INJECT_FACT_VARS"] = "false"
    if os.getuid() != 0:
        # Somebody who joins group docker in this very run gets the group by becoming himself anew (role docker). Root
        # needs no such thing, and may have no sudo.
        found["ANSIBLE_BECOME_ALLOW_SAME_USER"] = "true"
    return found


def _known(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _speaks() -> bool:
    """Return whether the locale of the environment is installed here and has UTF-8, which Ansible needs."""
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return False
    return locale.nl_langinfo(locale.CODESET).upper() == "UTF-8"


def ask_password(asked: Asked) -> str:
    """Return the password that sudo wants of this user, verified; empty where it wants none."""
    free = ["sudo", "-n", "-k", "true"]
    if os.getuid() == 0 or not shutil.which("sudo") or _succeeds(free):
        return ""
    user = getpass.getuser()
    for _try in range(3):
        try:
            typed = getpass.getpass(f"Password of {user} on this computer, which sudo asks for: ")
        except EOFError:
            raise Refused(
                "Nobody could be asked for the password of sudo.",
                "There is no terminal.",
                "Put it into a file that only you can read: --become-password-file FILE",
            ) from None
        if _succeeds(["sudo", "-S", "-k", "-p", "", "true"], typed):
            return typed
        print("  sudo did not take it.", file=sys.stderr)
    raise Refused(
        f"sudo did not take the password of {user}.",
        "It is another one, or this account may not use sudo.",
        f"Ask whoever runs this computer, or run ./lab {asked.verb} as a user who may.",
    )


def _succeeds(words: t.Sequence[str], typed: str = "") -> bool:
    done = subprocess.run(words, input=f"{typed}\n", capture_output=True, text=True, check=False)
    return done.returncode == 0


def _beside(name: str) -> t.Any:  # noqa: ANN401 - a module
    return _load(Path(__file__).with_name(f"{name}.py"))


def _load(path: Path) -> t.Any:  # noqa: ANN401 - a module
    """Return the module of a file, which is in no package yet."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader  # noqa: S101 - tells the type checker
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load_yaml(path: Path) -> t.Any:  # noqa: ANN401 - of the file
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def say(refused: Refused) -> None:
    """Print an error as everywhere in DESI Lab."""
    what, why, do = refused.args
    print(f"  x {what}\n    Why   {why}\n    Do    {do}", file=sys.stderr)


def answer(asked: Asked, root: Path) -> str | None:
    """Return what is printed for a question about the command itself; None for a verb that is to run."""
    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 100))
    if "--version" in asked.own:
        return version(root)
    if asked.verb in ("", "help") and not asked.words:
        return usage(width)
    check(asked)
    about = asked.words[0] if asked.verb == "help" else asked.verb if "--help" in asked.own else ""
    if not about:
        return None
    check(Asked(about, (), (), ()))
    return usage(width) if about in ("help", "test") else verb_help(about, root, width)


def make_again(root: Path, environ: t.Mapping[str, str]) -> t.NoReturn:
    """Have ``lab`` make an incomplete environment anew, as after an update of the Python that it was made of."""
    venv = root / ".venv"
    # Once, which the number of this process tells: it stays.
    number = str(os.getpid())
    if environ.get("DESI_LAB_MAKE_AGAIN") == number or venv.is_symlink():
        why = "It was made of a Python that is another one now, or its packages are gone."
        raise Refused(f"The environment {venv} is not complete.", why, f"Remove it: rm -r {venv}")
    os.execve(root / "lab", [str(root / "lab"), *sys.argv[3:]], {**environ, "DESI_LAB_MAKE_AGAIN": number})  # noqa: S606 - no shell is wanted


GO_ON = 3


def main(root: Path, python: str, arguments: list[str]) -> int:
    """Answer, refuse, or become the command of the verb. Without ``python``, the environment is yet to be made."""
    try:
        # The tests have options of their own.
        tests = arguments[:1] == ["test"]
        asked = Asked("test", (), (), ()) if tests else parse(arguments)
        try:
            said = answer(asked, root)
        except ImportError:
            if python:
                make_again(root, os.environ)
            return GO_ON
        if said is not None:
            print(said)
            return 0 if asked.verb or asked.own else 2
        if os.pathsep in str(root):
            why = f"The path of this clone, {root}, has a colon in it, which separates paths."
            do = "Move or rename the folder, so that no part of its path has one."
            raise Refused("DESI Lab cannot start.", why, do)
        if not python:
            return GO_ON
        if not importlib.util.find_spec("ansible"):
            make_again(root, os.environ)
        found = environment(os.environ, root)
        words, added = ([python, f"{root}/tests/run", *arguments[1:]], {}) if tests else command(asked, root, python)
        if "DESI_LAB_QUIET" in added:
            for name in ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_VERBOSITY"):
                found.pop(name, None)
        os.umask(0o022)
        passed: tuple[int, ...] = ()
        if "--ask-become-pass" in asked.own:
            password = ask_password(asked)
            if password:
                passed = (_pipe_with(password),)
                words += ["--become-password-file", f"/dev/fd/{passed[0]}"]
        sys.stdout.flush()
        if "DESI_LAB_JSON" in added:
            return one_document(asked.verb, words, {**found, **added}, passed)
        if asked.verb in SESSIONS:
            lab = _beside("_session")
            tail = asked.own[asked.own.index("--tail") + 1] if "--tail" in asked.own else "all"
            order = lab.Order(asked.verb, asked.words, tail, "--follow" in asked.own)
            return int(lab.session(order, words, {**found, **added}, passed, _load))
        os.execve(python, words, {**found, **added})  # noqa: S606 - no shell is wanted
    except Refused as refused:
        if wants_json(arguments):
            print_document(failed_document("", refused.args, 1))
        say(refused)
        return 1
    except KeyboardInterrupt:
        return 130


def wants_json(arguments: t.Sequence[str]) -> bool:
    """Return whether a program reads the answer, whatever is wrong with the arguments."""
    ours = arguments[: [*arguments, "--"].index("--")]
    return ours[:1] != ["test"] and any(len(each) > len("--") and "--json".startswith(each) for each in ours)


def failed_document(verb: str, sentences: t.Sequence[str], code: int) -> dict[str, t.Any]:
    """Return the document of a verb that came to none of its own."""
    failures = [dict(zip(("what", "why", "do"), sentences))] if sentences else []
    return {"verb": verb, "ok": not code, "failures": failures, "code": code}


def last_document(printed: str) -> tuple[str, t.Any]:
    """Return what was printed besides the last JSON document in it, and that document; None if there is none."""
    decoder = json.JSONDecoder()
    for start in reversed([match.start() for match in re.finditer(r"^\{", printed, re.MULTILINE)]):
        try:
            found, end = decoder.raw_decode(printed, start)
        except ValueError:
            continue
        return printed[:start] + printed[end:].lstrip("\n"), found
    return printed, None


def print_document(found: object) -> None:
    """Print a document, in ASCII alone where the terminal has nothing else."""
    ascii_alone = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(found, indent=2, ensure_ascii=ascii_alone), flush=True)


def one_document(verb: str, words: t.Sequence[str], known: t.Mapping[str, str], passed: t.Sequence[int]) -> int:
    """Run a verb and print the one document that it comes to, and on standard error what else it printed.

    Return its exit code, which a document of what a run told has as ``code``. Nobody is asked anything.
    """
    with subprocess.Popen(
        words, env=known, pass_fds=passed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:

        def pass_on(number: int, _frame: object) -> None:
            # A terminal sends its Ctrl-C to the verb, too.
            if number != signal.SIGINT or not _before_terminal():
                process.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, pass_on)
        printed = process.communicate()[0].decode(errors="replace")
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    besides, found = last_document(printed)
    print(besides, end="", file=sys.stderr)
    if found is None:
        why = f"Ansible ended with code {code}, and its own words are on standard error."
        sentences = (f"./lab {verb} came to no answer.", why, f"Run ./lab {verb} without --json to see all of it.")
        found = failed_document(verb, sentences if code else (), code)
    elif "failures" in found:
        found["code"] = code
    print_document(found)
    return code


def _before_terminal() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _pipe_with(secret: str) -> int:
    """Return the end of a pipe with a secret for the next program, which no file, argument or variable holds."""
    reader, writer = os.pipe()
    os.write(writer, f"{secret}\n".encode())
    os.close(writer)
    os.set_inheritable(reader, True)
    return reader


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
