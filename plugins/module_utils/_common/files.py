# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open, write and remove files where others may place links or swap directories meanwhile.

A path is walked once, part by part and by descriptors: what was checked is what is used.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

# The kernel's limit.
MAX_LINKS = 40
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_root_owned(path: str, make: bool = False, mode: int = 0o755) -> int:
    """Return a descriptor of a directory that only root can change or replace. Linux only.

    Each part of the absolute path has to be root's and writable by nobody else; a parent may have the sticky bit. Links
    of root's are followed. With ``make``, missing parts are made, parents 0755, the last one with ``mode``.
    The caller closes the descriptor. LabError names the unsafe part.
    """
    found, real = _walk(path, mode if make else None)
    try:
        return os.open(".", _DIRECTORY, dir_fd=found)
    except NotADirectoryError:
        raise _not_safe(path, real, "It is not a directory.") from None
    finally:
        os.close(found)


def require_root_owned(path: str) -> str:
    """Return the real path of a file or directory that only root can change or replace. See open_root_owned."""
    found, real = _walk(path, None)
    os.close(found)
    return real


def _walk(path: str, mode: int | None) -> tuple[int, str]:
    """Return a descriptor (O_PATH) and the real path. With a mode, missing parts are made."""
    if not path.startswith("/") or "\0" in path:
        raise _not_safe(path, path, "It is not an absolute path.")
    ahead = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    opened, names, links = [os.open("/", os.O_PATH | os.O_CLOEXEC)], [""], 0

    def go_up(to: int) -> None:
        while len(opened) > to:
            os.close(opened.pop())
            names.pop()

    try:
        _check_part(opened[0], path, "/", last=not ahead)
        while ahead:
            part = ahead.pop()
            if part == "..":
                go_up(max(1, len(opened) - 1))
                continue
            here = "/".join([*names, part])
            opened.append(_open_part(opened[-1], part, path, here, mode, bool(ahead)))
            names.append(part)
            if not stat.S_ISLNK(os.fstat(opened[-1]).st_mode):
                _check_part(opened[-1], path, here, last=not ahead)
                continue
            links += 1
            if os.fstat(opened[-1]).st_uid != 0:
                raise _not_safe(path, here, "It is a link that root did not make.")
            if links > MAX_LINKS:
                raise _not_safe(path, here, "Too many links lead on from it.")
            target = os.readlink("", dir_fd=opened[-1])
            go_up(1 if target.startswith("/") else len(opened) - 1)
            ahead.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        return os.dup(opened[-1]), "/".join(names) or "/"
    finally:
        go_up(0)


def _open_part(above: int, part: str, path: str, here: str, mode: int | None, more: bool) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(part, flags, dir_fd=above)
    except FileNotFoundError:
        if mode is None:
            raise _not_safe(path, here, "It is not there.") from None
    except OSError as problem:
        raise _not_safe(path, here, f"It cannot be opened: {problem.strerror}.") from None
    new_mode = 0o755 if more else mode
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, new_mode, dir_fd=above)
            # Despite the umask.
            os.chmod(part, new_mode, dir_fd=above)
        return os.open(part, flags, dir_fd=above)
    except OSError as problem:
        raise _not_safe(path, here, f"It cannot be made: {problem.strerror}.") from None


def _check_part(descriptor: int, path: str, here: str, last: bool) -> None:
    about = os.fstat(descriptor)
    if about.st_uid != 0:
        raise _not_safe(path, here, f"It belongs to the user with the number {about.st_uid}, and not to root.")
    shared = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    kept_apart = stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX and not last
    if shared and not kept_apart:
        raise _not_safe(path, here, "Others than root may write to it.")


def _not_safe(path: str, part: str, why: str) -> LabError:
    where = path if part == path else f"{path}, at {part}"
    return LabError(
        f"The path {where} is not safe for what runs with the rights of root.",
        why,
        "Use a path whose directories all belong to root and are writable by root alone.",
    )


@contextlib.contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Yield a descriptor, and close it in the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_directory(path: str) -> int:
    """Return a descriptor of a directory that the user named; links are followed."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_made(path: str, mode: int = 0o700) -> int:
    """Return a descriptor as open_directory; missing parts are made with ``mode``. Raises OSError."""
    missing: list[str] = []
    above = Path(path).absolute()
    while True:
        try:
            here = open_directory(str(above))
            break
        except FileNotFoundError:
            missing.append(above.name)
            above = above.parent
    if not missing:
        return here
    with closing(here):
        return open_below(here, "/".join(reversed(missing)), make=True, mode=mode)


def parts_below(name: str) -> list[str]:
    """Return the parts of a relative name. Raises ValueError for any name that is not below a directory."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ValueError(f"not a name below a directory: {name!r}")
    return parts


def open_below(descriptor: int, name: str, make: bool = False, mode: int = 0o755) -> int:
    """Return a descriptor of a directory below another, of which no part may be a link.

    The caller closes it. Raises OSError (ELOOP or ENOTDIR for a link or a file), and ValueError as parts_below.
    """
    here = os.dup(descriptor)
    try:
        for part in parts_below(name):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, mode, dir_fd=here)
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here


@contextlib.contextmanager
def directory_of(descriptor: int, name: str, make: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the directory that holds a name, and the last part of the name."""
    *above, last = parts_below(name)
    with closing(open_below(descriptor, "/".join(above), make) if above else os.dup(descriptor)) as here:
        yield here, last


def read_below(descriptor: int, name: str, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes below a directory.

    Raises OSError for a link, another kind of file, or a larger one, and ValueError as parts_below.
    """
    with directory_of(descriptor, name) as (here, last):
        opened = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(f"{name} is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"{name} is larger than {limit} bytes")
    return content


def write_beside(
    descriptor: int, name: str, data: bytes, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Write a file below a directory atomically; a link of that name is replaced.

    ``owner`` is a UID and a GID. Raises OSError, and ValueError as parts_below.
    """
    with directory_of(descriptor, name) as (here, last):
        beside, opened = _make_beside(here, last)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(data)
                file.flush()
                if owner is not None:
                    os.fchown(opened, *owner)
                # After chown, which clears bits of the mode.
                os.fchmod(opened, mode)
                os.fsync(opened)
            os.rename(beside, last, src_dir_fd=here, dst_dir_fd=here)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=here)
            raise


def try_beside(descriptor: int, name: str) -> None:
    """Make a file beside a name below a directory, as write_beside does, and remove it. Raises as write_beside."""
    with directory_of(descriptor, name) as (here, last):
        beside, opened = _make_beside(here, last)
        os.close(opened)
        os.unlink(beside, dir_fd=here)


def _make_beside(here: int, last: str) -> tuple[str, int]:
    """Return the name of a new file that nobody can guess, and its descriptor."""
    beside = f".{last[:200]}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return beside, os.open(beside, flags, 0o600, dir_fd=here)


def open_lock(directory: int, name: str, mode: int = 0o600) -> int:
    """Open the file of a lock in an open directory, and make it if there is none."""
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)


# What a file system without locks says, such as some of the network or of FUSE.
_HAS_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def _lock(opened: int, how: int = 0) -> None:
    """Lock an open file for this process alone. Where a file system has no locks, nobody waits."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | how)
    except OSError as error:
        if error.errno not in _HAS_NO_LOCKS:
            raise


@contextlib.contextmanager
def locked_file(open_above: Callable[[], int], name: str, mode: int = 0o600) -> Iterator[tuple[int, int]]:
    """Lock a file, which is made if missing, and yield its descriptor and that of its directory.

    A lock on a file that was removed meanwhile, alone or with its directory, locks nobody out: then it is made again.
    """
    while True:
        with closing(open_above()) as directory:
            try:
                opened = open_lock(directory, name, mode)
            except FileNotFoundError:
                continue
            with closing(opened):
                _lock(opened)
                if _is_there(directory, name, opened):
                    yield opened, directory
                    return


def _is_there(directory: int, name: str, opened: int) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), os.stat(name, dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return False


def wait_for_lock(lock: int, report: Callable[[], object]) -> bool:
    """Lock an open file for this process alone. While another has it, that is reported; return whether one had."""
    try:
        _lock(lock, fcntl.LOCK_NB)
    except BlockingIOError:
        report()
        _lock(lock)
        return True
    return False


def remove_below(descriptor: int, name: str) -> None:
    """Remove a file, a link, or a directory recursively, below a directory, without following links.

    Missing is no error. Raises OSError, and ValueError as parts_below.
    """
    with contextlib.suppress(FileNotFoundError), directory_of(descriptor, name) as (here, last):
        _remove(here, last)


def _remove(above: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=above)
        return
    except IsADirectoryError:
        pass
    except PermissionError:
        # macOS says so of a directory.
        if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
            raise
    with closing(os.open(name, _DIRECTORY, dir_fd=above)) as here:
        with os.scandir(here) as entries:
            names = [entry.name for entry in entries]
        for each in names:
            with contextlib.suppress(FileNotFoundError):
                _remove(here, each)
    os.rmdir(name, dir_fd=above)
