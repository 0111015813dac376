# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The build context of an image: the files of one directory and no others, as a tar archive.

Links stay links, so that a build sees what is in its directory and nothing that a link in it leads to.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import typing as t
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import closing, open_below, open_directory, read_below

# Repository history and compiled Python are no part of a build.
LEFT_OUT = (".git", "__pycache__")
IGNORE_FILE = ".dockerignore"
MAX_IGNORE_BYTES = 1 << 20
MAX_PATTERNS = 2000
MAX_STARS = 8
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Member:
    """A directory, regular file or link of a context. ``target`` is the link target."""

    name: str
    about: os.stat_result
    target: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.about.st_mode)

    def as_tar(self) -> tarfile.TarInfo:
        """Return its tar header, owned by root and without setuid, setgid and sticky bits."""
        header = tarfile.TarInfo(self.name)
        header.mode = stat.S_IMODE(self.about.st_mode) & 0o777
        header.mtime = int(self.about.st_mtime)
        if self.is_file:
            header.size = self.about.st_size
        elif stat.S_ISDIR(self.about.st_mode):
            header.type = tarfile.DIRTYPE
        else:
            header.type, header.linkname = tarfile.SYMTYPE, self.target
        return header

    def as_bytes(self) -> bytes:
        """Return what identifies it besides its contents. Owners, times and other mode bits do not."""
        kind = "file" if self.is_file else "link" if self.target else "directory"
        executable = "x" if self.is_file and self.about.st_mode & 0o100 else "-"
        return "\0".join((kind, self.name, executable, self.target, "")).encode("utf-8", "surrogateescape")


def check_context(path: str) -> None:
    """Refuse a directory without a Dockerfile, with an unreadable file, or whose path is a link or not absolute."""
    with _opened(path) as root:
        try:
            about = os.stat("Dockerfile", dir_fd=root, follow_symlinks=False)
        except OSError:
            about = None
        if about is None or not (stat.S_ISREG(about.st_mode) or stat.S_ISLNK(about.st_mode)):
            raise _refused(
                path, "There is no readable file Dockerfile in it.", "Give the absolute path of a folder that has one."
            )
    # A filter, which hashes them later, could not say it in a sentence.
    for _member in members(path):
        pass


def write_context(path: str, out: t.BinaryIO, compress: bool = False) -> None:
    """Write the context as a tar archive, sorted by name."""
    mode: t.Literal["w|gz", "w|"] = "w|gz" if compress else "w|"
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for member, file in members(path):
            try:
                archive.addfile(member.as_tar(), file)
            except OSError as problem:
                # An error with errno is of the output.
                if problem.errno is not None:
                    raise
                raise _changing(path, member.name) from problem


def context_hash(path: str, extra: Mapping[str, t.Any]) -> str:
    """Return a hash of a context and of further build inputs (arguments, files, base).

    Names, contents, executable bits and where links lead to count; owners and times do not.
    """
    digest = hashlib.sha256()
    for member, file in members(path):
        digest.update(member.as_bytes())
        if file is not None:
            digest.update(_file_hash(file))
    for key in sorted(extra):
        digest.update(f"{key}\0{extra[key]}\0".encode())
    return digest.hexdigest()[:16]


def members(path: str) -> Iterator[tuple[Member, t.BinaryIO | None]]:
    """Yield the members of a context, files with their contents.

    What is neither a directory, a file nor a link (sockets, pipes, devices) is left out, and so is what the
    ``.dockerignore`` of the context names.
    """
    with _opened(path) as root:
        ignored, exceptions = _ignored(path, root)
        yield from _walk(path, root, "", ignored, exceptions)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    parts = path.split("/")
    if not path.startswith("/") or ".." in parts:
        raise _refused(path, "It is not an absolute path without '..'.", "Give the whole path of the folder.")
    try:
        if stat.S_ISLNK(os.lstat(path.rstrip("/") or "/").st_mode):
            raise _refused(path, "It is a link.", f"Give the folder that it leads to: {os.path.realpath(path)}")
        root = open_directory(path)
    except OSError as problem:
        raise _refused(
            path, f"It cannot be opened: {problem.strerror}.", "Give the absolute path of a folder with a Dockerfile."
        ) from problem
    with closing(root):
        yield root


def _walk(
    path: str, above: int, prefix: str, ignored: Callable[[str], bool], exceptions: bool
) -> Iterator[tuple[Member, t.BinaryIO | None]]:
    for last in sorted(os.listdir(above)):
        name = f"{prefix}{last}"
        if last in LEFT_OUT:
            continue
        left_out = ignored(name)
        try:
            about = os.stat(last, dir_fd=above, follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode):
                if not left_out:
                    yield Member(name, about), None
                # With exceptions in .dockerignore, files may be included without their directory.
                if exceptions or not left_out:
                    with closing(os.open(last, _DIRECTORY, dir_fd=above)) as below:
                        yield from _walk(path, below, f"{name}/", ignored, exceptions)
            elif left_out:
                continue
            elif stat.S_ISLNK(about.st_mode):
                yield Member(name, about, os.readlink(last, dir_fd=above)), None
            elif stat.S_ISREG(about.st_mode):
                with os.fdopen(os.open(last, _FILE, dir_fd=above), "rb") as file:
                    about = os.fstat(file.fileno())
                    if not stat.S_ISREG(about.st_mode):
                        raise _changing(path, name)
                    yield Member(name, about), file
        except PermissionError as problem:
            raise _refused(
                path,
                f"This account may not read {name} in it.",
                f"Let it be read, or name it in {IGNORE_FILE} of that folder.",
            ) from problem
        except OSError as problem:
            raise _changing(path, name) from problem


def _ignored(path: str, root: int) -> tuple[Callable[[str], bool], bool]:
    """Return the matcher of .dockerignore, and whether it has exceptions."""
    try:
        text = read_below(root, IGNORE_FILE, MAX_IGNORE_BYTES).decode("utf-8")
    except FileNotFoundError:
        return lambda _name: False, False
    except (OSError, ValueError) as problem:
        why = f"Its file {IGNORE_FILE} cannot be read."
        raise _refused(path, why, "Make it a plain text file that this account may read.") from problem
    # Only the controller needs this package.
    try:
        from docker.utils.build import PatternMatcher
    except ImportError as problem:
        why = f"Its file {IGNORE_FILE} cannot be understood without the Python package docker."
        raise _refused(path, why, "Install that package where Ansible runs: pip install docker") from problem
    lines = [line.strip() for line in text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    # Each becomes a regular expression; foreign ones must not keep this computer busy.
    if len(patterns) > MAX_PATTERNS or any(pattern.count("*") > MAX_STARS for pattern in patterns):
        raise _refused(path, f"Its file {IGNORE_FILE} has too many patterns or stars.", "Write it with fewer of them.")
    matcher = PatternMatcher([*patterns, "!Dockerfile"])
    return matcher.matches, any(line.startswith("!") for line in patterns)


def _file_hash(file: t.BinaryIO) -> bytes:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.digest()


def _changing(path: str, name: str) -> LabError:
    why = f"{name} in it was changed while it was read."
    return _refused(path, why, "Wait until nothing writes there, and run this again.")


def _refused(path: str, why: str, do: str) -> LabError:
    return LabError(f"No image can be built from {path}.", why, do)


def directory_below(root: str, directory: str) -> str:
    """Return the path of a directory in a clone; refuse missing ones and links."""
    if not directory:
        return root
    try:
        with closing(open_directory(root)) as above:
            os.close(open_below(above, directory))
    except (OSError, ValueError) as problem:
        raise LabError(
            "The image could not be built from its repository.",
            f"There is no directory {directory} in it; links are not followed.",
            "Check its name there, and give it as URL#BRANCH:DIRECTORY.",
        ) from problem
    return f"{root}/{directory}"
