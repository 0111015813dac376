# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enter a lab, or read its log, once a playbook has located it: commands, and a log without its secrets.

The front door runs this outside of Ansible, so it imports nothing but Python itself.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

READ_SIZE = 1 << 16
# A line without an end is cut here, at a space.
LONGEST_LINE = 1 << 18
_ENDS = re.compile(rb"[\r\n]")
_SPACES = re.compile(rb"\s")
# As the server prints a token, and as it is given one.
_TOKENS = re.compile(r"""(?:token|password)["']?\s*(?:=|:|%3[Dd])\s*["']?([^\s"'&<>,)\]}]{4,})""", re.IGNORECASE)
_TERM = re.compile(r"[A-Za-z0-9._+-]{1,40}")


class Place(t.NamedTuple):
    """Where a lab's container is, as playbooks/common/session.yml prints it."""

    container: str
    folder: str
    docker: tuple[str, ...]
    # The file of settings and the host of ssh; empty for a lab on this computer.
    ssh: tuple[str, str]
    environment: Mapping[str, str]


class Order(t.NamedTuple):
    """What somebody asked for: a verb, the words of a command, and which part of a log."""

    verb: str
    words: Sequence[str] = ()
    tail: str = "all"
    follow: bool = False


def read_place(text: str) -> Place | None:
    """Return what a playbook printed, None for anything else."""
    try:
        found = json.loads(text)
        ssh = (str(found["ssh"]["config"]), str(found["ssh"]["host"])) if found["ssh"] else ("", "")
        environment = {str(name): str(value) for name, value in found["environment"].items()}
        return Place(str(found["container"]), str(found["folder"]), tuple(found["docker"]), ssh, environment)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def at(place: Place, words: Sequence[str], terminal: bool = False) -> list[str]:
    """Return the command that runs ``docker WORDS`` where the lab is. A remote shell gets each word quoted."""
    command = [*place.docker, *words]
    config, host = place.ssh
    if not config:
        return command
    return ["ssh", "-F", config, "-tt" if terminal else "-T", host, "--", shlex.join(command)]


def shell_command(place: Place, program: str, words: Sequence[str], terminal: bool, term: str = "") -> list[str]:
    """Return the command of a shell in a lab, or of ``words``. ``program`` takes on the server's user."""
    options = ["--interactive", *(["--tty"] if terminal else [])]
    if terminal and _TERM.fullmatch(term):
        options += ["--env", f"TERM={term}"]
    inside = ["python3", "-I", "-c", program, "session", place.folder, *words]
    return at(place, ["exec", *options, place.container, *inside], terminal)


def logs_command(place: Place, tail: str, follow: bool) -> list[str]:
    """Return the command of what a lab's server wrote."""
    # What follows a silent log elsewhere ends with its terminal: without one it would outlive the connection.
    return at(place, ["logs", "--tail", tail, *(["--follow"] if follow else []), place.container], follow)


def settings_command(place: Place) -> list[str]:
    """Return the command that prints how the server was started, which may have its token."""
    return at(place, ["container", "inspect", "--format", "{{json .Config.Env}}\n{{json .Args}}", place.container])


def secrets_in(settings: str, among: Callable[[list[str]], set[str]]) -> set[str]:
    """Return the secrets in what ``settings_command`` printed. ``among`` finds those of words."""
    found: set[str] = set()
    for line in settings.splitlines():
        try:
            words = [str(word) for word in json.loads(line) or ()]
        except (ValueError, TypeError):
            continue
        found |= among(words) | tokens_in(" ".join(words))
    return found


def tokens_in(text: str) -> set[str]:
    """Return what follows the name of a token in a text."""
    return set(_TOKENS.findall(text))


def masked(
    pieces: Iterable[bytes],
    hide: Callable[[str, Iterable[str]], str],
    spellings: Callable[[Iterable[str]], set[str]],
    secrets: Iterable[str] = (),
) -> Iterator[str]:
    """Return a log line by line without its secrets, however it was cut into pieces.

    A token that the log has shown once is hidden in all that follows, in any spelling.
    """
    known = set(secrets)
    forms = spellings(known)
    for line in _lines(pieces):
        text = line.decode(errors="replace")
        new = tokens_in(text) - known
        if new:
            known |= new
            forms |= spellings(new)
        yield hide(text, forms)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        *lines, rest = _ENDS.split(rest) if _ENDS.search(piece) else [rest]
        yield from (line for line in lines if line)
        if len(rest) > LONGEST_LINE:
            cut = max((match.start() for match in _SPACES.finditer(rest)), default=0)
            yield rest[:cut] if cut else b"(a line of more than 256 KiB is left out)"
            rest = rest[cut:] if cut else b""
    if rest:
        yield rest


def session(
    order: Order,
    playbook: Sequence[str],
    known: Mapping[str, str],
    passed: Sequence[int],
    load: Callable[[Path], t.Any],
) -> int:
    """Have a playbook locate a lab, and become a shell in it, or print its log; return the exit code.

    ``known`` is the environment, ``passed`` are descriptors that the playbook reads, ``load`` returns a file's module.
    """
    output = load(Path(__file__).with_name("_json_document.py"))
    # Standard input is the shell's, not the playbook's.
    located = subprocess.run(
        playbook, env=known, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=passed, check=False
    )
    printed = located.stdout.decode(errors="replace")
    place = None if located.returncode else read_place(printed)
    if place is None:
        # It was refused, or something else was asked of Ansible: --list-tasks.
        listed = not located.returncode and any(word.startswith(("--list-", "--syntax-check")) for word in playbook)
        output.print_text(printed, sys.stdout if listed else sys.stderr)
        return located.returncode or (0 if listed else 1)
    if {"--check", "-C"} & {*playbook}:
        does = "enter" if order.verb == "shell" else "read from"
        output.print_text(f"Check only: this would {does} the container {place.container}.\n", sys.stdout)
        return 0
    known = {**known, **place.environment}
    if order.verb == "shell":
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        program = Path(__file__).with_name("_notebook_program.py").read_text(encoding="utf-8")
        command = shell_command(place, program, order.words, terminal, known.get("TERM", ""))
        os.execvpe(command[0], command, known)  # noqa: S606 - no shell is wanted
    return _print_log(place, order, known, load, output.NOT_WRITTEN)


def _print_log(
    place: Place, order: Order, known: Mapping[str, str], load: Callable[[Path], t.Any], not_written: str
) -> int:
    common = Path(__file__).parents[1] / "module_utils/_common"
    redaction, texts = load(common / "redact.py"), load(common / "text.py")
    settings = subprocess.run(
        settings_command(place), env=known, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    with subprocess.Popen(
        logs_command(place, order.tail, order.follow),
        env=known,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        pipe = t.cast("t.BinaryIO", process.stdout)
        pieces = iter(lambda: os.read(pipe.fileno(), READ_SIZE), b"")
        secrets = secrets_in(settings.stdout, redaction.secrets_in)
        # What follows a silent log would outlive this.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        try:
            for line in masked(
                pieces, lambda text, forms: redaction.redact(texts.clean(text), forms), redaction.all_spellings, secrets
            ):
                print(line, flush=True)
        except (KeyboardInterrupt, OSError) as error:
            # Whoever reads has enough, and nobody takes what is left to be written.
            process.terminate()
            if not isinstance(error, (KeyboardInterrupt, BrokenPipeError)):
                print(not_written.format(error.strerror), end="", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        return process.wait()
