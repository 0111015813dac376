# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sync agent, for both sides: list a directory, compare files by content, put files in place.

The very text of this file, and of those it imports, is sent to a machine and run there: besides them it stands on
Python alone. Everything goes by descriptors. What is copied to and fro lies in a place of its own (``Rooms``), into
which nobody who writes in the folder can reach.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.desi.lab.plugins.module_utils._common.files import (
    closing,
    directory_of,
    open_below,
    open_directory,
    open_made,
    read_below,
    remove_below,
)
from ansible_collections.desi.lab.plugins.module_utils._sync.patterns import (
    MAX_TEXT,
    Rule,
    is_ignored,
    lines_of,
    rules_of,
)

IGNORE_FILE = ".labignore"
OLD_STAGING = ".desi-lab-sync"
"""Where 0.1.0 staged its copies, in the directory itself. It is never read, and stays."""
NEVER = (".bucket", OLD_STAGING)
INCOMING, OUTGOING, BASIS = "in", "out", "base"
PRIVATE = 0o700
KEPT_SECONDS = 7 * 86_400
PLAIN = 0o755
"""The kept mode bits: no setuid, and no write access for others."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Rooms(NamedTuple):
    """Descriptors of the staging directories: incoming, outgoing, and the basis of incoming files."""

    incoming: int
    outgoing: int
    basis: int


def own_lines(directory: int) -> list[str]:
    """Return the directory's own ignore patterns."""
    try:
        data = read_below(directory, IGNORE_FILE, MAX_TEXT)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OSError(f"{IGNORE_FILE} cannot be read: {error.strerror or error}") from None
    return lines_of(data)


def entry_of(directory: int, path: str) -> list[Any] | None:
    """Return the kind, size, time and link target of a file; None if there is none."""
    with contextlib.suppress(OSError), directory_of(directory, path) as (here, name):
        return _entry(here, name)
    return None


def _entry(here: int, name: str) -> list[Any] | None:
    about = os.stat(name, dir_fd=here, follow_symlinks=False)
    if stat.S_ISLNK(about.st_mode):
        return ["link", 0, about.st_mtime_ns, os.readlink(name, dir_fd=here)]
    return ["file", about.st_size, about.st_mtime_ns, ""] if stat.S_ISREG(about.st_mode) else None


def is_there(directory: int, path: str) -> bool:
    """Return whether a name exists, also as a dangling link."""
    try:
        with directory_of(directory, path) as (here, name):
            os.stat(name, dir_fd=here, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
    return True


def listing(directory: int, rules: list[Rule]) -> dict[str, list[Any]]:
    """Return all files and links below a directory that are not ignored, by path."""
    return dict(_walk(directory, "", rules, os.fstat(directory).st_dev))


def _walk(here: int, below: str, rules: list[Rule], device: int) -> Iterator[tuple[str, list[Any]]]:
    with os.scandir(here) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        path = f"{below}/{item.name}" if below else item.name
        is_directory = item.is_dir(follow_symlinks=False)
        if item.name in NEVER or is_ignored(path, is_directory, rules):
            continue
        if not is_directory:
            entry = None
            # It may have been removed since.
            with contextlib.suppress(FileNotFoundError):
                entry = _entry(here, item.name)
            # Links into a bucket mount belong to the mount.
            if entry and entry[3].split("/")[0] not in NEVER:
                yield path, entry
        elif item.stat(follow_symlinks=False).st_dev == device:
            try:
                deeper = open_below(here, item.name)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    continue
                raise OSError(error.errno, error.strerror, path) from None
            with closing(deeper):
                if os.fstat(deeper).st_dev == device:
                    yield from _walk(deeper, path, rules, device)


def digests(directory: int, paths: list[str]) -> dict[str, str]:
    """Return the hashes of files; missing ones are left out."""
    found = {}
    for path in paths:
        whole = hashlib.sha256()
        try:
            with (
                directory_of(directory, path) as (here, name),
                os.fdopen(os.open(name, _READ, dir_fd=here), "rb") as file,
            ):
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    continue
                for block in iter(lambda: file.read(1 << 20), b""):
                    whole.update(block)
        except OSError as error:
            if error.errno in _NOT_THERE:
                continue
            raise OSError(error.errno, error.strerror, path) from None
        found[path] = whole.hexdigest()
    return found


def rooms_in(staging: int, owner: list[int] | None = None) -> Rooms:
    """Return the rooms of a staging directory; earlier incoming copies are kept."""
    for name in (OUTGOING, BASIS):
        remove_below(staging, name)
    rooms = Rooms(*(open_below(staging, name, make=True, mode=PRIVATE) for name in (INCOMING, OUTGOING, BASIS)))
    for room in rooms:
        if owner:
            os.fchown(room, *owner)
    return rooms


def prepare(directory: int, rooms: Rooms, sends: list[str], gets: list[str]) -> dict[str, Any]:
    """Stage the outgoing files, and the basis of the incoming ones.

    Returns what is gone. A hard link costs no room, and no time. Where there are none, what goes is copied.
    """
    missing = [path for path in sends if not _lay(directory, path, rooms.outgoing, True)]
    for path in gets:
        _lay(directory, path, rooms.basis, False)
    return {"missing": missing}


def _lay(directory: int, path: str, room: int, needed: bool) -> bool:
    try:
        with directory_of(directory, path) as (here, name), directory_of(room, path, make=True) as (there, _name):
            entry = _entry(here, name)
            if entry is None or (not needed and entry[0] != "file"):
                return False
            try:
                os.link(name, name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
            except (OSError, NotImplementedError):
                if needed:
                    _copy(here, name, there, name)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise OSError(error.errno, error.strerror, path) from None
    return True


def _copy(here: int, name: str, there: int, target: str) -> None:
    """Copy a file or link with its time and its plain mode."""
    about = os.stat(name, dir_fd=here, follow_symlinks=False)
    if stat.S_ISLNK(about.st_mode):
        os.symlink(os.readlink(name, dir_fd=here), target, dir_fd=there)
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, _READ, dir_fd=here), "rb") as source:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                raise FileNotFoundError(errno.ENOENT, "It is no file any more", name)
            with os.fdopen(os.open(target, flags, 0o600, dir_fd=there), "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                os.fchmod(copy.fileno(), _plain(about.st_mode))
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns), dir_fd=there, follow_symlinks=False)


def _plain(mode: int) -> int:
    return stat.S_IMODE(mode) & PLAIN | 0o600


def settle(directory: int, rooms: Rooms, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply steps to a directory; a file that changed meanwhile is kept beside the new one.

    Returns the entries of what was put in place, and what had changed meanwhile.
    """
    entries, changed = {}, []
    for step in steps:
        path, expected = step["path"], step["expected"]
        untouched = entry_of(directory, path) == expected and not (expected is None and is_there(directory, path))
        if not untouched:
            changed.append(path)
        if step["do"] == "place":
            target = path if untouched else free_name(directory, step["beside"])
            if "link" in step:
                _link(directory, target, *step["link"])
            elif not _place(directory, rooms.incoming, step["staged"], target):
                continue
            entries[target] = entry_of(directory, target)
        elif step["do"] == "aside" and untouched:
            target = free_name(directory, step["to"])
            with directory_of(directory, path) as (here, name), _parent(directory, target) as (there, new):
                os.rename(name, new, src_dir_fd=here, dst_dir_fd=there)
            entries[target] = entry_of(directory, target)
        elif step["do"] == "remove" and untouched:
            with directory_of(directory, path) as (here, name):
                os.unlink(name, dir_fd=here)
            _remove_empty(directory, path)
    return {"entries": entries, "changed": changed}


def free_name(directory: int, name: str) -> str:
    """Return a name that does not exist yet."""
    number, free = 1, name
    while is_there(directory, free):
        number += 1
        free = f"{name}-{number}"
    return free


@contextlib.contextmanager
def _parent(directory: int, path: str) -> Iterator[tuple[int, str]]:
    """Open the parent of a path, created if missing; mounts inside the directory are refused."""
    try:
        with directory_of(directory, path, make=True) as (here, name):
            if os.fstat(here).st_dev != os.fstat(directory).st_dev:
                raise OSError(errno.EXDEV, "Something else is mounted there", path)
            yield here, name
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(error.errno, "A link or a file is where a directory has to be", path) from None
        raise


def _link(directory: int, path: str, target: str, when: int) -> None:
    with _parent(directory, path) as (here, name):
        beside = _beside(name)
        try:
            os.symlink(target, beside, dir_fd=here)
            os.utime(beside, ns=(when, when), dir_fd=here, follow_symlinks=False)
            os.rename(beside, name, src_dir_fd=here, dst_dir_fd=here)
        except OSError:
            _forget(here, beside)
            raise


def _beside(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:200])}.{secrets.token_hex(8)}"


def _forget(here: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=here)


def _place(directory: int, incoming: int, staged: str, target: str) -> bool:
    # It may have been removed between listing and copying.
    if entry_of(incoming, staged) is None:
        return False
    with directory_of(incoming, staged) as (there, name), _parent(directory, target) as (here, new):
        about = os.stat(name, dir_fd=there, follow_symlinks=False)
        if stat.S_ISREG(about.st_mode):
            os.chmod(name, _plain(about.st_mode), dir_fd=there)
        try:
            os.rename(name, new, src_dir_fd=there, dst_dir_fd=here)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = _beside(new)
            try:
                _copy(there, name, here, beside)
                os.rename(beside, new, src_dir_fd=here, dst_dir_fd=here)
            except OSError:
                _forget(here, beside)
                raise
    return True


def _remove_empty(directory: int, path: str) -> None:
    above = path.split("/")[:-1]
    while above:
        try:
            with directory_of(directory, "/".join(above)) as (here, name):
                os.rmdir(name, dir_fd=here)
        except OSError:
            return
        above.pop()


def do(request: dict[str, Any], directory: int, rooms: Rooms | None) -> dict[str, Any]:
    """Serve a request in an open directory."""
    if request["do"] == "lines":
        return {"lines": own_lines(directory)}
    if request["do"] == "list":
        own = own_lines(directory)
        old = stat.S_ISDIR(_mode(directory, OLD_STAGING))
        return {"lines": own, "files": listing(directory, rules_of([*request["lines"], *own])), "old": old}
    if request["do"] == "digests":
        return {"digests": digests(directory, request["paths"])}
    if rooms is None:
        raise OSError("There is no place for copies.")
    if request["do"] == "prepare":
        return prepare(directory, rooms, request["sends"], request["gets"])
    return settle(directory, rooms, request["steps"])


def _mode(here: int, name: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
    return 0


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a request on an instance, with staging in the home of the SSH user."""
    try:
        directory = open_directory(str(Path(request["folder"]).expanduser()))
    except (FileNotFoundError, NotADirectoryError):
        if request["do"] != "list":
            raise
        return {"lines": [], "files": {}, "absent": True, "old": False}
    if request["do"] in ("list", "digests"):
        return do(request, directory, None)
    place = open_own(str(Path("~/.local/state").expanduser()))
    staging = open_below(place, request["id"], make=True, mode=PRIVATE)
    if request["do"] == "prepare":
        return do(request, directory, rooms_in(staging))
    rooms = Rooms(*(open_below(staging, name) for name in (INCOMING, OUTGOING, BASIS)))
    result = do(request, directory, rooms)
    remove_below(place, request["id"])
    return result


def open_own(state: str) -> int:
    """Return a descriptor of the private parent of all staging directories."""
    with closing(open_made(state)) as above:
        place = open_below(above, "desi-lab/sync", make=True, mode=PRIVATE)
    about = os.fstat(place)
    if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
        raise OSError(errno.EPERM, "It is not ours alone", f"{state}/desi-lab/sync")
    forget_old(place)
    return place


def forget_old(place: int) -> None:
    """Remove stale copies of syncs that were given up."""
    with os.scandir(place) as found:
        old = [each.name for each in found if each.stat(follow_symlinks=False).st_mtime < time.time() - KEPT_SECONDS]
    for name in old:
        remove_below(place, name)


def main() -> None:
    """Serve the request on standard input."""
    try:
        said = answer(json.load(sys.stdin))
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None)
        said = {"error": f"{getattr(error, 'strerror', '') or error}: {where}" if where else str(error)}
    json.dump(said, sys.stdout)
