# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the front door prints, and the one JSON document of a verb for programs.

The front door loads this file by its path, before Ansible is there. It imports nothing but Python.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import typing as t

NOT_WRITTEN = """  x What ./lab prints could not be written.
    Why   {}.
    Do    Have it written where there is room, then run the same command again.
"""


def wants_json(arguments: t.Sequence[str]) -> bool:
    """Return whether a program reads the answer, whatever is wrong with the arguments."""
    ours = arguments[: [*arguments, "--"].index("--")]
    return ours[:1] != ["test"] and any(len(each) > len("--") and "--json".startswith(each) for each in ours)


def failed_document(verb: str, sentences: t.Sequence[str], code: int) -> dict[str, t.Any]:
    """Return the JSON document of a verb that failed before printing one."""
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


def print_text(text: str, stream: t.TextIO) -> None:
    """Print a text. That nobody reads it, or that there is no room for it, changes nothing about what has been done."""
    try:
        print(text, end="", file=stream, flush=True)
    except OSError as error:
        # Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            print_text(NOT_WRITTEN.format(error.strerror), sys.stderr)


def print_document(found: object) -> None:
    """Print a document, in ASCII alone where the terminal has nothing else."""
    ascii_alone = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print_text(f"{json.dumps(found, indent=2, ensure_ascii=ascii_alone)}\n", sys.stdout)


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
    print_text(besides, sys.stderr)
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
