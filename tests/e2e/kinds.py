# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs for the browser to visit: each kind is made by the whole command, as a person makes it, and taken away again.

A kind is a line in KINDS. Whatever it makes, the browser knows it only by its URL, so a lab elsewhere is one more line.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from labs import Lab as LabOnEC2
from player import IS_POSSIBLE, Player
from recording import on_terminal
from region.running import RunningRegion, running

ROOT = Path(__file__).resolve().parents[2]
# Whom the labs are for, as if this person had called sudo. The number has no name here, and needs none.
PERSON = 61235
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
# A real name for it would be one of DESI's; this one says whose it is in `docker ps`.
PREFIX = "e2e-"


class Saved(NamedTuple):
    """A file in the lab's folder, as it is seen from outside the lab."""

    content: bytes
    owner: int


@dataclass(frozen=True)
class Lab:
    """A lab that runs: its URL with the token, and what is known of it from outside."""

    url: str
    release: str
    # Whether what it shows never was in the sky, which it has to say.
    synthetic: bool = False
    # Returns a file of what the lab shows as synced, and who has to own it. None where only the URL is known.
    saved: Callable[[str], Saved] | None = None
    owner: int | None = None
    # Runs a verb of ./lab for this lab in a folder, with further settings. None where it cannot know of the lab.
    verb: Callable[..., subprocess.CompletedProcess[str]] | None = None
    # What the lab shows as synced, if it is on this computer.
    folder: Path | None = None
    # For a URL of HTTPS: the certificate that the browser has to be shown, and no other.
    certificate: Path | None = None
    # Whom a browser that visits it may talk to.
    hosts: frozenset[str] = LOOPBACK
    # How it was called, and what the terminal was shown while it was made.
    name: str = ""
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


def saved_here(folder: Path, name: str) -> Saved:
    """Return a file of a folder of this computer."""
    path = folder / name
    return Saved(path.read_bytes(), path.stat().st_uid)


@contextlib.contextmanager
def local(scratch: Path, mount: str, port: int) -> Iterator[Lab]:
    """Make a lab on this computer with the sample of dr1, whose bucket is mounted on the host or in the container."""
    name = f"{PREFIX}{mount}"
    folder = scratch / "desi"
    folder.mkdir()
    os.chown(folder, PERSON, PERSON)
    known = ["-e", f"lab_name={name}", "-e", f"lab_cache={scratch}/cache"]
    settings = {"lab_release": "dr1", "lab_port": port, "lab_mount": mount, "lab_folder": folder}

    def verb(verb: str, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
        return run_verb(verb, *known, *(f"-e{key}={value}" for key, value in more.items()), cwd=cwd)

    try:
        command, surroundings = verb_of(
            "demo", *known, *(f"-e{key}={value}" for key, value in settings.items()), cwd=folder
        )
        del surroundings["NO_COLOR"]
        code, shown = on_terminal(command, surroundings, folder)
        assert code == 0, shown
        url = lab_command("url", *known, cwd=folder).strip()
        yield Lab(
            url,
            "dr1",
            synthetic=True,
            saved=functools.partial(saved_here, folder),
            owner=PERSON,
            verb=verb,
            folder=folder,
            name=name,
            shown=shown,
        )
    finally:
        lab_command("down", *known, "-elab_yes=true", cwd=scratch)


@contextlib.contextmanager
def played(scratch: Path) -> Iterator[None]:
    """Let the verbs of labs on EC2 be played in one process: tests/cloud shows whole commands there."""
    player = Player(scratch, dict(os.environ)) if IS_POSSIBLE else None
    LabOnEC2.player = player
    try:
        yield
    finally:
        LabOnEC2.player = None
        if player:
            player.close()


def saved_there(region: RunningRegion, machine: str, user: str, name: str) -> Saved:
    """Return a file of the folder of a lab on EC2."""
    path = f"/home/{user}/synced/{name}"
    owner = region.exec(machine, "stat", "--format", "%u", path)
    assert owner.returncode == 0, owner.stderr
    content = region.exec(machine, "base64", "--wrap", "0", path).stdout
    return Saved(base64.b64decode(content), int(owner.stdout))


@contextlib.contextmanager
def on_ec2(scratch: Path, access: str, system: str) -> Iterator[Lab]:
    """Make a lab on a machine of a simulated region, with the bucket that is in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running(scratch / "region.log") as region, played(scratch):
        lab = LabOnEC2(region, f"{PREFIX}{access}", scratch, port, lab_access=access, lab_os=system)

        def verb(verb: str, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
            plain = {key: os.fspath(value) if isinstance(value, Path) else value for key, value in more.items()}
            return lab.attempt(verb, environment={"PWD": str(cwd)}, **plain)

        try:
            shown = lab.run("ec2.yml")
            url = lab.url()
            (machine,) = (each["InstanceId"] for each in lab.instances())
            user = {"amazon": "ec2-user", "ubuntu": "ubuntu"}[system]
            yield Lab(
                url,
                "edr",
                saved=functools.partial(saved_there, region, machine, user),
                owner=int(region.exec(machine, "id", "--user", user).stdout),
                verb=verb,
                certificate=lab.folder / "tls/cert.pem" if access == "https" else None,
                hosts=frozenset({urlsplit(url).hostname}),
                name=lab.name,
                shown=shown,
            )
        finally:
            lab.run("down", lab_yes=True)


LOCAL: dict[str, Maker] = {
    "local-host": lambda scratch: local(scratch, "host", 21891),
    "local-container": lambda scratch: local(scratch, "container", 21892),
}
ON_EC2: dict[str, Maker] = {
    "ec2-tunnel": lambda scratch: on_ec2(scratch, "tunnel", "amazon"),
    "ec2-direct": lambda scratch: on_ec2(scratch, "direct", "ubuntu"),
    "ec2-https": lambda scratch: on_ec2(scratch, "https", "amazon"),
}
KINDS = {**LOCAL, **ON_EC2}
