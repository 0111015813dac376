# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab's Jupyter server: its token, its kernels, the browsers that are connected, and Dask beside it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import http.client
import json
import os
import re
import ssl
import stat
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from desi_watch.processes import PROC

PATIENCE = 10.0
DASK = 8787
# A page of JupyterLab that is open and reached says something about every half minute.
SILENT = 150.0
CLONE_NEWNET = 0x40000000
QUIET = frozenset({"idle", "dead", "starting", "restarting", "autorestarting"})
SMALL = 65536
LARGEST = 1 << 20
ITSELF = ("127.", "[::1]", "[::ffff:127.")


class Server(NamedTuple):
    """Address and token of a server, from the file that it writes for its own tools."""

    port: int
    base: str
    token: str
    secure: bool


@contextlib.contextmanager
def network_of(pid: int, proc: Path = PROC) -> Iterator[None]:
    """Enter a container's network namespace for a while, where its loopback addresses answer."""
    library = ctypes.CDLL(None, use_errno=True)
    with (proc / "self/ns/net").open() as here, (proc / str(pid) / "ns/net").open() as there:
        enter(library, there.fileno())
        try:
            yield
        finally:
            enter(library, here.fileno())


def enter(library: ctypes.CDLL, namespace: int) -> None:
    """Enter a network namespace. Python itself can do that only since 3.12."""
    if library.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def residents(pid: int, proc: Path = PROC) -> list[int]:
    """Return the processes of a container, by its first."""
    place = (proc / str(pid) / "ns/pid").readlink()
    found = []
    for entry in proc.iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "ns/pid").readlink() == place:
                found.append(int(entry.name))
    return sorted(found)


def runtime_directories(pid: int, proc: Path = PROC) -> list[str]:
    """Return the directories of a process's Jupyter runtime files, as paths in its container."""
    with (proc / str(pid) / "environ").open("rb") as file:
        lines = file.read(LARGEST).split(b"\0")
    known = dict(line.decode(errors="replace").partition("=")[::2] for line in lines if line)
    directories = [known.get("JUPYTER_RUNTIME_DIR", "")]
    if known.get("JUPYTER_DATA_DIR"):
        directories.append(f"{known['JUPYTER_DATA_DIR']}/runtime")
    if known.get("HOME"):
        directories.append(f"{known['HOME']}/.local/share/jupyter/runtime")
    return [directory for directory in directories if directory.startswith("/")]


def server_of(pid: int, port: int, proc: Path = PROC) -> Server:
    """Return address and token of the server in a container. Raises LookupError without any."""
    newest: tuple[float, Server] | None = None
    seen = set()
    for resident in residents(pid, proc):
        with contextlib.suppress(OSError):
            seen.update(runtime_directories(resident, proc))
    for directory in sorted(seen):
        with contextlib.suppress(OSError), directory_in(proc / str(pid) / "root", directory) as opened:
            for name in os.listdir(opened):  # noqa: PTH208 - by the handle of the folder
                found = server_in(name, opened) if fnmatch(name, "*server-*.json") else None
                if found and found[1].port == port and (newest is None or found[0] > newest[0]):
                    newest = found
    if newest is None:
        raise LookupError("the server does not tell its token")
    return newest[1]


@contextlib.contextmanager
def directory_in(root: Path, path: str) -> Iterator[int]:
    """Open a directory of a container. No link on the way is followed: notebooks could lay one that leads out of it."""
    handles = [os.open(root, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        for part in PurePosixPath(path).parts[1:]:
            if part == "..":
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            handles.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handles[-1]))
        yield handles[-1]
    finally:
        for handle in handles:
            os.close(handle)


def server_in(file: Path | str, opened: int | None = None) -> tuple[float, Server] | None:
    """Return the server that a file describes, and when it was written. Links and other kinds of files are skipped.

    ``opened`` is the directory that it is in.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
        with os.fdopen(handle, encoding="utf-8") as opened:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or about.st_size > SMALL:
                return None
            found = json.loads(opened.read(SMALL))
        server = Server(int(found["port"]), str(found["base_url"]), str(found["token"]), bool(found["secure"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about.st_mtime, server


def query(server: Server, question: str) -> Any:  # noqa: ANN401 - as JSON has it
    """Return a server's answer to a request with its token. Nothing of it is shown or logged."""
    if server.secure:
        # It is the container's own address, on which nobody else can be.
        context = ssl._create_unverified_context()  # noqa: S323 - as above
        line: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, timeout=PATIENCE, context=context
        )
    else:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        headers = {"Authorization": f"token {server.token}"} if server.token else {}
        line.request("GET", f"{server.base.rstrip('/')}/{question}", headers=headers)
        answer = line.getresponse()
        body = answer.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise OSError(f"its answer is longer than {LARGEST} bytes")
        if answer.status != 200:
            raise OSError(f"it answers {answer.status}")
        return json.loads(body)
    finally:
        line.close()


def kernels(found: list[dict[str, Any]], before: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return what kernels do, and when each did something last, to be compared with at the next look.

    That time is never compared with a clock, which may be set: it is another one than before, or it is not.
    """
    shown, marks = [], {}
    for kernel in found:
        state, last = str(kernel["execution_state"]), str(kernel["last_activity"])
        marks[str(kernel["id"])] = last
        if state not in QUIET:
            shown.append(f"a kernel is {state}")
        elif before.get(str(kernel["id"]), last) != last:
            shown.append("a kernel was used")
    return sorted(set(shown)), marks


def browsers(listing: str) -> list[str]:
    """Return whether a browser is connected, by what ``ss --info`` lists of the server's port, two lines for each.

    A connection of which nothing came for long is one that nobody is at the other end of, such as a laptop asleep's.
    One from the container to itself is its own look after its health.
    """
    for where, what in re.findall(r"^\d+ +\d+ +(\S+) +\S+.*\n\s+(.*)$", listing, re.MULTILINE):
        heard = re.search(r"\blastrcv:(\d+)", what)
        if not where.startswith(ITSELF) and heard and int(heard[1]) / 1000 < SILENT:
            return ["a browser is connected"]
    return []


def connections(port: int) -> str:
    command = ["ss", "--no-header", "--tcp", "--info", "--numeric", "state", "established", f"sport = :{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode:
        raise OSError(f"ss says {done.stderr.strip() or done.returncode}")
    return done.stdout


def dask(port: int = DASK) -> list[str]:
    """Return whether a Dask scheduler beside the server has work. That there is none is no doubt."""
    try:
        counts = query(Server(port, "/", "", False), "json/counts.json")
        busy = any(int(counts.get(each, 0)) for each in ("processing", "waiting"))
    except (OSError, ValueError, AttributeError, TypeError, http.client.HTTPException):
        return []
    return ["Dask computes"] if busy else []
