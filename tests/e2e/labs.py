# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs for the browser to visit: each kind is made by the whole command, as a person makes it, and taken away again.

A kind is a line in KINDS. Whatever it makes, the browser knows it only by its URL, so a lab elsewhere is one more line.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from recording import on_terminal

ROOT = Path(__file__).resolve().parents[2]
# Whom the labs are for, as if this person had called sudo. The number has no name here, and needs none.
PERSON = 61235
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
# A real name for it would be one of DESI's; this one says whose it is in `docker ps`.
PREFIX = "e2e-"


@dataclass(frozen=True)
class Lab:
    """A lab that runs: its URL with the token, and what is known of it from outside."""

    url: str
    release: str
    # What the lab shows as synced, and who owns what is saved there. None if it is not on this computer.
    folder: Path | None
    owner: int | None
    # For a URL of HTTPS: the certificate that the browser has to be shown, and no other.
    certificate: Path | None = None
    # Whom a browser that visits it may talk to.
    hosts: frozenset[str] = LOOPBACK
    # What the verbs of ./lab have to be told so that they mean it. Nothing where they cannot know of it.
    settings: tuple[str, ...] = ()
    # What the terminal was shown while it was made.
    shown: str = ""


Maker = Callable[[Path], AbstractContextManager[Lab]]


def verb_of(verb: str, *arguments: str, cwd: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that ``./lab VERB`` comes to, and its environment, as of the person."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(ROOT / "playbooks" / f"{verb}.yml")]
    known = {
        **os.environ,
        "PWD": str(cwd),
        "SUDO_UID": str(PERSON),
        "SUDO_GID": str(PERSON),
        "NO_COLOR": "1",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
    }
    if verb == "url":
        known["DESI_LAB_QUIET"] = "1"
    return [*command, *arguments], known


def run_verb(verb: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a verb of ``./lab`` as the person, and return what it prints and its exit code."""
    command, known = verb_of(verb, *arguments, cwd=cwd)
    return subprocess.run(command, cwd=cwd, env=known, check=False, capture_output=True, text=True)


def lab_command(verb: str, *arguments: str, cwd: Path) -> str:
    """Run a verb that has to go well, and return what it prints on standard output."""
    done = run_verb(verb, *arguments, cwd=cwd)
    assert done.returncode == 0, f"{verb} {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def local(scratch: Path, mount: str, port: int) -> Iterator[Lab]:
    """Make a lab on this computer with the sample of dr1, whose bucket is mounted on the host or in the container."""
    name = f"{PREFIX}{mount}"
    folder = scratch / "desi"
    folder.mkdir()
    os.chown(folder, PERSON, PERSON)
    known = ["-e", f"lab_name={name}", "-e", f"lab_cache={scratch}/cache"]
    settings = {"lab_release": "dr1", "lab_port": port, "lab_mount": mount, "lab_folder": folder}
    try:
        command, surroundings = verb_of(
            "demo", *known, *(f"-e{key}={value}" for key, value in settings.items()), cwd=folder
        )
        del surroundings["NO_COLOR"]
        code, shown = on_terminal(command, surroundings, folder)
        assert code == 0, shown
        url = lab_command("url", *known, cwd=folder).strip()
        yield Lab(url, "dr1", folder, PERSON, settings=tuple(known), shown=shown)
    finally:
        lab_command("down", *known, cwd=scratch)


KINDS: dict[str, Maker] = {
    "local-host": lambda scratch: local(scratch, "host", 21891),
    "local-container": lambda scratch: local(scratch, "container", 21892),
}
