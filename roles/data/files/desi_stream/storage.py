# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write and remove in the cache, by descriptors: whoever lays a link there leads nobody elsewhere."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def own_directory(path: Path) -> Iterator[int]:
    """Give a directory of this user's in which nobody else may write, as a descriptor. Raises OSError for any other."""
    opened = os.open(path, _DIRECTORY)
    try:
        about = os.fstat(opened)
        if about.st_uid != os.geteuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{path} is not closed to others")
        yield opened
    finally:
        os.close(opened)


def write_beside(folder: int, name: str, data: bytes) -> None:
    """Put a file into a directory, whole or not at all."""
    beside = f".{name}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(beside, _NEW, 0o600, dir_fd=folder), "wb") as file:
            file.write(data)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=folder)
        raise


def remove_all_but(folder: int, inside: str, kept: str) -> None:
    """Remove what is in a directory of a directory, but for one entry. No link is followed."""
    opened = os.open(inside, _DIRECTORY, dir_fd=folder)
    try:
        for name in _names(opened):
            if name != kept:
                with contextlib.suppress(OSError):
                    _remove(opened, name)
    finally:
        os.close(opened)


def _remove(above: int, name: str) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=above)
        return
    opened = os.open(name, _DIRECTORY, dir_fd=above)
    try:
        for each in _names(opened):
            _remove(opened, each)
    finally:
        os.close(opened)
    os.rmdir(name, dir_fd=above)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]
