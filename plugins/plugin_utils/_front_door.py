# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``./lab`` does before Ansible: answer questions about itself, refuse, or become the command of a verb.

``lab`` runs this file by itself, before Ansible is there. It imports nothing but Python and files next to it.
"""

from __future__ import annotations

import getpass
import importlib.util
import json
import locale
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import typing as t
from pathlib import Path


def _beside(name: str) -> t.Any:  # noqa: ANN401 - a module
    return _load(Path(__file__).with_name(f"{name}.py"))


def _load(path: Path) -> t.Any:  # noqa: ANN401 - a module
    """Return the module of a file, which is in no package yet."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader  # noqa: S101 - tells the type checker
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_arguments = _beside("_arguments")
_document = _beside("_json_document")
Asked, Refused, parse, check = _arguments.Asked, _arguments.Refused, _arguments.parse, _arguments.check
JSON, VERBS, WORDS = _arguments.JSON, _arguments.VERBS, _arguments.WORDS
# Their document is one of their own; that of others is what the run told (callback desi.lab.steps).
OWN_JSON = ("status", "doctor")
QUIET = ("url", "status", "shell", "logs")
# Of these a playbook only locates the lab, and this command then becomes, or reads, docker or ssh.
SESSIONS = ("shell", "logs")
OF_LOGS = (("-f, --follow", "go on with what it writes from now on"), ("--tail N", "print the last N lines alone"))
COMMON = (
    ("--check", "show what would be done without doing it"),
    ("-v", "print more; -vvv prints everything"),
    ("-K", "ask for your sudo password first, where sudo wants one"),
)


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
    import yaml

    words = f" {WORDS[verb]}" if verb in WORDS else ""
    lines = [
        f"usage: ./lab {verb}{words} [settings] [options], in any order",
        "",
        f"{VERBS[verb][0].upper()}{VERBS[verb][1:]}.",
        "",
    ]
    options = [*([JSON] if verb in _arguments.WITH_JSON else []), *(OF_LOGS if verb == "logs" else []), *COMMON]
    lines += [line for option, about in options for line in _row(option, about, 12, width)]
    specs = yaml.safe_load((root / "roles/lab/meta/argument_specs.yml").read_text(encoding="utf-8"))
    specs = specs["argument_specs"]["main"]["options"]
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
    found = set(re.findall(r"\b(?:lab|__settings)\.(?:(?:given|typed)\.)?([a-z0-9_]+)", text)) | {"name"}
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
    return textwrap.wrap(
        about, width, initial_indent=f"  {name + '  ':<{column}}", subsequent_indent=" " * (column + 2)
    )


def version(root: Path) -> str:
    found = re.search(r"^version: *(\S+)", (root / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return f"DESI Lab {found[1] if found else '(unknown)'}"


def command(asked: Asked, root: Path, python: str) -> tuple[list[str], dict[str, str]]:
    """Return the command of a verb and what it adds to the environment."""
    added = {}
    options = list(asked.options)
    if asked.verb in QUIET or "--json" in asked.own:
        # What a verb prints for programs is the verb's own.
        added["DESI_LAB_QUIET"] = "1"
        added["ANSIBLE_VERBOSE_TO_STDERR"] = "true"
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
    rules = _beside("_surroundings")
    user = pwd.getpwuid(os.getuid()).pw_dir if _known(os.getuid()) else "/"
    found = rules.surroundings(environ, user, _speaks(), lambda path: os.access(path, os.W_OK | os.X_OK))
    found["PATH"] = f"{root}/.venv/bin{os.pathsep}{found['PATH']}"
    # Under sudo -E the home is that of the person, who could not write to a folder there that root had made. What is in
    # it, such as credentials, is used.
    own = user if os.getuid() == 0 and not _is_own(Path(found["HOME"])) else found["HOME"]
    found["ANSIBLE_HOME"] = f"{own}/.ansible"
    found["ANSIBLE_CONFIG"] = f"{root}/ansible.cfg"
    found["ANSIBLE_COLLECTIONS_PATH"] = f"{root}/.collections"
    # What a machine answers must not become a variable, whatever this shell says.
    found["ANSIBLE_INJECT_FACT_VARS"] = "false"
    if os.getuid() != 0:
        # Somebody who joins group docker in this very run gets the group by becoming himself anew (role docker). Root
        # needs no such thing, and may have no sudo.
        found["ANSIBLE_BECOME_ALLOW_SAME_USER"] = "true"
    return found


def check_place(root: Path) -> None:
    """Refuse a clone in a path that Ansible reads as something else, and a current folder that is gone."""
    what, do = "DESI Lab cannot start.", "Move or rename the folder, so that no part of its path has one."
    if os.pathsep in str(root):
        why = f"The path of this clone, {root}, has a colon in it, which separates paths."
        raise Refused(what, why, do)
    if found := re.search(r"[$*?\[\]\x00-\x1f]", str(root)):
        letter = found[0] if found[0].isprintable() else "line end or another control character"
        why = f"The path of this clone, {str(root)!r}, has a {letter} in it, which Ansible reads as something else."
        raise Refused(what, why, do)
    try:
        Path.cwd()
    except OSError:
        why = "The folder that you are in is gone, or may not be read."
        raise Refused(what, why, "Go to another one, for example with cd, and run the same command again.") from None


def check_home(place: Path) -> None:
    """Refuse a home in which Ansible cannot keep the files of a run, which are in ``place``."""
    home, temporary = place.parent, place / "tmp"
    try:
        temporary.mkdir(0o700, parents=True, exist_ok=True)
        # As large as what a task puts there. Of a quota some disks tell only when a file is closed.
        with tempfile.TemporaryFile(dir=temporary) as probe:
            probe.write(bytes(1 << 20))
    except OSError as error:
        what, why = f"DESI Lab cannot write to your home, {home}.", f"{error.strerror}: {error.filename or temporary}"
        do = "Make room there, or have it made writable. Another one for this run: HOME=/path ./lab ..."
        if isinstance(error, PermissionError) and _is_own(home) and not (_is_own(place) and _is_own(temporary)):
            why = f"{place}, or what is in it, is another user's."
            do = f'Make it yours again: sudo chown -R "$USER" {shlex.quote(str(place))}'
        raise Refused(what, why, do) from None


def _is_own(path: Path) -> bool:
    """Return whether this user owns a path, or nothing is known of it."""
    try:
        return path.stat().st_uid == os.getuid()
    except OSError:
        return True


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


def say(refused: Refused) -> None:
    """Print an error as everywhere in DESI Lab."""
    what, why, do = refused.args
    _document.print_text(f"  x {what}\n    Why   {why}\n    Do    {do}\n", sys.stderr)


def tell(refused: Refused, arguments: t.Sequence[str], code: int) -> int:
    """Print an error, and for programs its document, too; return the exit code."""
    if _document.wants_json(arguments):
        _document.print_document(_document.failed_document("", refused.args, code))
    say(refused)
    return code


def no_document(asked: Asked) -> Refused:
    """Return the error of a program that asks for what people read."""
    if {"--help", "--version"} & {*asked.own, f"--{asked.verb}"}:
        return Refused("./lab prints no help and no version as JSON.", "They are for people.", "Leave --json out.")
    return Refused("./lab was given no verb.", "It is the verb that prints JSON.", "For example: ./lab status --json")


def answer(asked: Asked, root: Path) -> str | None:
    """Return the answer to a question about the command itself; None for a verb that has to run."""
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
    """Have ``lab`` create an incomplete environment anew, as after an update of its Python."""
    venv = root / ".venv"
    # Once, which the number of this process tells: it stays.
    number = str(os.getpid())
    if environ.get("DESI_LAB_MAKE_AGAIN") == number or venv.is_symlink():
        why = "It was made of a Python that is another one now, or its packages are gone."
        raise Refused(f"The environment {venv} is not complete.", why, f"Remove it: rm -r {venv}")
    os.execve(root / "lab", [str(root / "lab"), *sys.argv[3:]], {**environ, "DESI_LAB_MAKE_AGAIN": number})  # noqa: S606 - no shell is wanted


GO_ON = 3


def main(root: Path, python: str, arguments: list[str]) -> int:
    """Answer, refuse, or become the command of the verb. Without ``python``, there is no environment yet."""
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
        if said is not None and "--json" in asked.own:
            return tell(no_document(asked), arguments, 1 if asked.verb or {*asked.own} - {"--json"} else 2)
        if said is not None:
            _document.print_text(f"{said}\n", sys.stdout)
            return 0 if asked.verb or asked.own else 2
        check_place(root)
        if not python:
            return GO_ON
        if not importlib.util.find_spec("ansible"):
            make_again(root, os.environ)
        _arguments.check_options(asked.options)
        found = environment(os.environ, root)
        check_home(Path(found["ANSIBLE_HOME"]))
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
        if "DESI_LAB_JSON" in added:
            return int(_document.one_document(asked.verb, words, {**found, **added}, passed))
        if asked.verb in SESSIONS:
            lab = _beside("_session")
            tail = asked.own[asked.own.index("--tail") + 1] if "--tail" in asked.own else "all"
            order = lab.Order(asked.verb, asked.words, tail, "--follow" in asked.own)
            return int(lab.session(order, words, {**found, **added}, passed, _load))
        os.execve(python, words, {**found, **added})  # noqa: S606 - no shell is wanted
    except Refused as refused:
        return tell(refused, arguments, 1)
    except KeyboardInterrupt:
        return 130


def _pipe_with(secret: str) -> int:
    """Return the end of a pipe with a secret for the next program, which no file, argument or variable holds."""
    reader, writer = os.pipe()
    os.write(writer, f"{secret}\n".encode())
    os.close(writer)
    os.set_inheritable(reader, True)
    return reader


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
