# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A persistent SSH tunnel that reconnects, one for each directory.

Its keeper's command line says what it is, so that no other record of it is needed, and none can be out of date. The
control socket of OpenSSH would tell of ssh alone: it is the keeper that holds the port, and has to be known.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .._common.errors import LabError
from .._common.polling import wait_until
from .._docker import port_owner, ports
from . import diagnosis
from .tunnel_process import (
    KEEPER,
    LOOPBACK,
    Keeper,
    Process,
    Tunnel,
    is_connected,
    parse_processes,
    place_of,
    running_keeper,
    tunnel_processes,
    what_ssh_said,
)
from .wait import find_target

ANSWERS = "answers"
NOTHING_THERE = "nothing there"
SILENT = "silent"
DOWN = "down"

PROBE_SECONDS = 5.0
PATIENCE_TO_END = 5.0
# One column each: POSIX reads what follows the first = as a heading.
_PS = ["ps", "-A", "-ww", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "uid=", "-o", "args="]
HERE = ports.parse_address(LOOPBACK)
_KEPT = ("HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "PATH")
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def open_tunnel(tunnel: Tunnel, timeout: float, check: bool = False) -> dict[str, Any]:
    """Ensure that the tunnel is open; return what was done, and whether the far end answers."""
    ports.check_port(tunnel.local_port)
    ports.check_port(tunnel.remote_port)
    diagnosis.check_host(tunnel.host)
    with _locked(tunnel.directory):
        processes = _processes()
        found = tunnel_processes(processes, tunnel.place, os.geteuid())
        keeper = running_keeper(processes, tunnel.place, os.geteuid())
        same = keeper is not None and keeper.digest == tunnel.digest
        if keeper and same:
            seen = probe(tunnel, min(PROBE_SECONDS, timeout))
            # While the line is down its port is held, and whoever connects is sent away.
            stands = is_connected(_log_of(tunnel), tunnel.place) and holds(tunnel, keeper)
            if stands and seen in (ANSWERS, NOTHING_THERE):
                return _result(False, "open", keeper, tunnel, how="reused", answers=seen == ANSWERS)
        how = "opened" if not keeper else "revived" if same else "replaced"
        if check:
            # A port that our own tunnel has now will be free.
            if not found or (keeper and not keeper.forward.startswith(f"{tunnel.begins_at}:")):
                _refuse_taken(tunnel.local_port)
            return _result(True, "open", keeper, tunnel, how=how, answers=False)
        target = find_target(tunnel.config, tunnel.host)
        if same and keeper and holds(tunnel, keeper) and tunnel.log.exists():
            # What keeps the port goes on keeping it, also if nothing comes of this.
            os.truncate(tunnel.log, 0)
            os.kill(keeper.pid, signal.SIGUSR1)
            answers = _await(tunnel, target, None, timeout)
        else:
            _end(tunnel.place)
            if not wait_until(lambda: ports.is_free(HERE, tunnel.local_port), 1.0 if found else 0.0):
                _refuse_taken(tunnel.local_port)
            process = _start(tunnel)
            try:
                answers = _await(tunnel, target, process, timeout)
            except BaseException:
                _end(tunnel.place)
                _remove_files(tunnel)
                raise
    return _result(True, "open", keeper, tunnel, how=how, answers=answers)


def close_tunnel(tunnel: Tunnel, check: bool = False) -> dict[str, Any]:
    """Ensure that no tunnel of the directory is left, nor any file of it."""
    with _locked(tunnel.directory):
        processes = _processes()
        keeper = running_keeper(processes, tunnel.place, os.geteuid())
        found = tunnel_processes(processes, tunnel.place, os.geteuid())
        files = [path for path in tunnel.files if path.exists() or path.is_symlink()]
        if not check:
            _end(tunnel.place)
            _remove_files(tunnel)
    how = "closed" if found else "cleaned" if files else "absent"
    return _result(how != "absent", "closed", keeper, None, how=how, answers=False)


def open_ports(directories: Iterable[str]) -> dict[str, int]:
    """Return the local port of each directory's tunnel, of those that have one."""
    processes = _processes()
    keepers = {directory: running_keeper(processes, place_of(directory), os.geteuid()) for directory in directories}
    begins = {directory: keeper.forward.rsplit(":", 3)[-3] for directory, keeper in keepers.items() if keeper}
    return {directory: int(port) for directory, port in begins.items() if port.isdigit()}


def keeper_of(directory: str) -> Keeper | None:
    """Return the keeper of the tunnel of a directory, if one runs."""
    return running_keeper(_processes(), place_of(directory), os.geteuid())


def proof_of(directory: str, container: str) -> port_owner.Proof | None:
    """Return how to prove who listens, if it is a tunnel's keeper or a lab's container that should."""
    if container:
        return port_owner.of_container(container)
    if not directory:
        return None
    resolved = str(Path(directory).resolve())

    def pid() -> int | None:
        found = keeper_of(resolved)
        return found.pid if found else None

    return port_owner.of_process(pid)


def holds(tunnel: Tunnel, keeper: Keeper | None) -> bool:
    """Tell whether the keeper is the one that listens where the tunnel begins."""
    return keeper is not None and bool(port_owner.sockets_of(keeper.pid, HERE, tunnel.local_port))


def probe(tunnel: Tunnel, seconds: float) -> str:
    """Send a request through the tunnel; any answer proves that it works."""
    try:
        with socket.create_connection((LOOPBACK, tunnel.local_port), timeout=seconds) as asked:
            try:
                asked.sendall(b"GET /api HTTP/1.0\r\n\r\n")
                # ssh takes every connection. One that leads nowhere it ends, and that answer comes from there, too.
                return ANSWERS if asked.recv(1) else NOTHING_THERE
            except socket.timeout:
                return SILENT
            except OSError:
                return NOTHING_THERE
    except OSError:
        return DOWN


def _result(changed: bool, state: str, keeper: Keeper | None, tunnel: Tunnel | None, **facts: object) -> dict[str, Any]:
    before = {"state": "open", "forward": keeper.forward, "host": keeper.host} if keeper else {"state": "closed"}
    after = {"state": "open", "forward": tunnel.forward, "host": tunnel.host} if tunnel else {"state": "closed"}
    diff = {"diff": {"before": before, "after": after}} if changed else {}
    return {"changed": changed, "state": state, **facts, **diff}


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Keep others of us from working on the same directory's tunnel at the same time."""
    if not directory:
        raise LabError(
            "The tunnel has no folder.",
            "Its files are kept in the folder of its lab, and the path given for that is empty.",
            "Give the path of the lab's folder.",
        )
    place = None
    try:
        # Where a file system has no locks, or there is no directory yet, the run lock alone keeps others away.
        with contextlib.suppress(OSError):
            place = os.open(directory, os.O_RDONLY)
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        if place is not None:
            os.close(place)


def _processes() -> list[Process]:
    try:
        done = subprocess.run(
            _PS, capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"}, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise LabError(
            "The tunnels that are open cannot be found.",
            "They are known from the list of processes, and the command ps does not give it here.",
            "Install it, for example: sudo apt-get install procps",
        ) from None
    return parse_processes(done.stdout)


def _refuse_taken(port: int) -> None:
    if ports.is_free(HERE, port):
        return
    free = ports.next_free(HERE, port, 100)
    raise LabError(
        f"Port {port} on {HERE} is taken.",
        f"It is in use by {ports.who_listens(HERE, port)}, so the tunnel cannot begin there.",
        # The port of a lab that is there is what its container was made with.
        "End that program, then run the same command again. A lab that is not made yet can have another port: "
        f"-e lab_port={free or '…'}",
    )


def _start(tunnel: Tunnel) -> subprocess.Popen[bytes]:
    _remove_files(tunnel)
    for path in (tunnel.script, tunnel.log, tunnel.room):
        if path.exists():
            raise LabError(
                f"The tunnel to {tunnel.host} could not be opened.",
                f"{path} is in the place of a file of its own, and DESI Lab did not make it.",
                "Move that away, then run the same command again.",
            )
    # Anew, and not through a link that somebody may have put there. By the program all of it is known to be ours.
    for path, text in ((tunnel.script, KEEPER), (tunnel.log, "")):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:  # noqa: PTH123 - a descriptor is no path
            file.write(text)
    tunnel.room.mkdir(0o700)
    # Nothing else goes along: it may hold keys to AWS, and the tunnel lives for days.
    kept = {name: os.environ[name] for name in _KEPT if os.environ.get(name)}
    kept["PATH"] = f"{kept.get('PATH', '')}:{_SYSTEM_PATH}".strip(":")
    with tunnel.log.open("ab") as log:
        return subprocess.Popen(
            tunnel.command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # The path of a socket has at most about a hundred letters, so that its name alone is given.
            cwd=tunnel.room,
            env={**kept, "LC_ALL": "C"},
            start_new_session=True,
        )


def _await(tunnel: Tunnel, target: diagnosis.Target, process: subprocess.Popen[bytes] | None, timeout: float) -> bool:
    """Wait until the tunnel is open; return whether the far end answers."""
    deadline = time.monotonic() + timeout
    silent = False
    while True:
        log = _log_of(tunnel)
        left = deadline - time.monotonic()
        # The keeper says so of the local port.
        if log.startswith("bind ["):
            _end(tunnel.place)
            _refuse_taken(tunnel.local_port)
        saying = diagnosis.classify(what_ssh_said(log))
        if is_connected(log, tunnel.place):
            seen = probe(tunnel, max(0.5, left))
            silent = seen == SILENT
            if seen in (ANSWERS, NOTHING_THERE):
                if not holds(tunnel, keeper_of(tunnel.directory)):
                    raise port_owner.not_ours(LOOPBACK, tunnel.local_port)
                return seen == ANSWERS
        elif saying.kind in (*diagnosis.FINAL, diagnosis.DENIED):
            raise diagnosis.not_let_in(saying, target)
        if (process and process.poll() is not None) or left <= 0:
            raise _not_open(tunnel, target, saying, silent, timeout)
        time.sleep(0.05)


def _log_of(tunnel: Tunnel) -> str:
    return tunnel.log.read_text(errors="replace") if tunnel.log.exists() else ""


def _not_open(
    tunnel: Tunnel, target: diagnosis.Target, saying: diagnosis.Saying, silent: bool, timeout: float
) -> LabError:
    what = f"The tunnel to {tunnel.host} could not be opened within {timeout:g} seconds."
    if silent:
        return LabError(
            what,
            f"It led to the machine, but nothing answered there at {LOOPBACK} port {tunnel.remote_port}.",
            "Run the same command again. If it stays so, the server there hangs: start it again.",
        )
    return LabError(what, *diagnosis.reason(saying, target))


def _remove_files(tunnel: Tunnel) -> None:
    for path in tunnel.files:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if path == tunnel.room and not path.is_symlink():
                # What others put there stays, and the directory with it.
                with contextlib.suppress(OSError):
                    path.rmdir()
            else:
                path.unlink()


def _end(place: str) -> None:
    """End all processes of a directory's tunnel: in good order first, by force when patience runs out."""

    def left() -> list[Process]:
        return tunnel_processes(_processes(), place, os.geteuid())

    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        if wait_until(lambda: not left(), PATIENCE_TO_END):
            return
