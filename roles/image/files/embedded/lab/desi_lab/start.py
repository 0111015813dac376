# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the entry point does: finds or mounts the data, sets the scene, becomes the user, then becomes the lab."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from desi_lab import bucket, environment, home, person, releases, shims, words
from desi_lab.errors import NO_DATA, RELEASE_MISSING, StartError

STATE = Path("/var/lib/desi-lab")
LINK_SECONDS = 60


def is_empty(data: Path) -> bool:
    """Whether the data folder holds nothing. One that cannot even be read is an error."""
    try:
        return not any(data.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise StartError(
            NO_DATA,
            f"The data folder {data} cannot be read.",
            f"{error.strerror}.",
            "if it is a mount on your computer, mount it again; if it is a folder, let this user read it",
        ) from None


def await_release(release: releases.Release, root: Path, data: Path, seconds: float = LINK_SECONDS) -> None:
    """Make sure of the release. A link into nothing is a mount that is about to come: that is worth a wait."""
    deadline = time.monotonic() + seconds
    while root.is_symlink() and environment.problem(root) and time.monotonic() < deadline:
        time.sleep(0.2)
    problem = environment.problem(root)
    if not problem and root.is_dir():
        return
    if root.is_symlink():
        why = f"It leads to {root.readlink()}, which did not appear within {seconds:.0f} seconds: {problem.lower()}."
    else:
        why = f"{data} holds: {', '.join(shims.entries(data)[:12]) or 'nothing'}."
        why += "" if release.public else f" {release.name} is not public yet."
    do = "name a release that is there (DESI_RELEASE), or set DESI_LAB_ALLOW_MISSING=1 to start without it"
    if "spectro" in shims.entries(data):
        do = f"{data} looks like the inside of one release: put it at {root} instead"
    raise StartError(RELEASE_MISSING, f"Release {release.name} is not in the data: {root} is missing.", why, do)


def fetch(env: Mapping[str, str], data: Path, lenient: bool) -> None:
    """Mount the bucket where there are no data yet."""
    if not is_empty(data):
        return
    try:
        mounted = bucket.mount(env, data)
    except StartError:
        if not lenient:
            raise
    else:
        print(f"DESI Lab: bucket {mounted.name} of {mounted.where} is mounted at {data}.", flush=True)


def set_scene(env: MutableMapping[str, str], release: releases.Release, data: Path, lenient: bool) -> None:
    """Environment, paths, home and greeting: all that the person finds in the lab."""
    variables = environment.derive(env, release, data)
    if not lenient:
        await_release(release, Path(variables["DESI_ROOT"]), data)
    place = Path(env.get("HOME") or "/home/desi")
    user = person.name_myself(os.fspath(place))
    shims.lay(environment.NERSC, data, release.name, releases.known())
    synthetic = environment.flag(env, "DESI_LAB_SYNTHETIC")
    home.populate_home(place, variables, synthetic)
    greeting = words.greeting(variables, synthetic)
    variables |= {"USER": user, "LOGNAME": user}
    (STATE / "environment.sh").write_text(environment.as_shell(variables), encoding="utf-8")
    (STATE / "greeting").write_text(greeting, encoding="utf-8")
    keep_token(STATE / "token")
    env.update(variables)
    print(greeting, end="", flush=True)
    synced = Path(variables["SYNCED"])
    if home.writable(synced):
        # New terminals open where the server runs: in the folder that is kept, unless another one was given.
        if Path.cwd() == place:
            os.chdir(synced)
    else:
        print(f"  Note   {synced} cannot be written by this user: files cannot be saved there.", flush=True)


# Docker mounts files of its own into a container, whose paths have its id.
MOUNTINFO = Path("/proc/self/mountinfo")


def keep_token(place: Path) -> None:
    """Make the token of this container's server, once: a bookmark stays good after a stop.

    Another container that somebody makes of an image of this one gets a token of its own.
    """
    found = re.search(r"/containers/([0-9a-f]{64})/", MOUNTINFO.read_text(encoding="utf-8", errors="replace"))
    container = found[1] if found else ""
    made_in = place.with_name(f"{place.name}-of")
    if not container or not made_in.is_file() or made_in.read_text(encoding="ascii") != container:
        for old in (place, made_in):
            old.unlink(missing_ok=True)
    if not container or place.exists():
        return
    for file, text in ((place, secrets.token_hex(24)), (made_in, container)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "w", encoding="ascii") as made:
            made.write(text)


def prepare(env: MutableMapping[str, str], argv: Sequence[str]) -> list[str]:
    """Everything up to the last step; gives the command that this process then becomes."""
    release = releases.requested(env)
    environment.port(env)
    uid, gid = person.requested(env)
    data = environment.data_folder(env)
    lenient = environment.flag(env, "DESI_LAB_ALLOW_MISSING")
    fetch(env, data, lenient)
    if person.may_become(uid):
        return person.becoming(uid, gid, [sys.executable, *sys.orig_argv[1:]])
    set_scene(env, release, data, lenient)
    return list(argv) or ["jupyter", "lab"]


def main(argv: Sequence[str]) -> int:
    """Become the lab, or say why not."""
    try:
        command = prepare(os.environ, argv)
    except StartError as error:
        return report(error)
    except OSError as error:
        what = f"{error.filename or 'A file of the lab'} could not be written."
        return report(
            StartError(1, what, f"{error.strerror}.", "start it without --read-only, on a disk that is not full")
        )
    try:
        os.execvp(command[0], command)  # noqa: S606  # 2026-11: a list, no shell
    except OSError as error:
        what = f"The command {command[0]} cannot be run."
        return report(StartError(127, what, f"{error.strerror}.", "give no command: the lab is what runs then"))


def report(error: StartError) -> int:
    """Tell the person; gives the exit code."""
    print(f"DESI Lab cannot start.\n{error}", file=sys.stderr, flush=True)
    return error.code
