# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that root runs to mount: only those that nobody else can change, and that no lab can be given.

A clone and its virtual environment are neither, as people share them with notebooks. What is needed of them is copied
to root's directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import posixpath
import re
import secrets
import stat
import subprocess
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .._common.errors import LabError
from .._common.files import (
    closing,
    open_root_owned,
    parts_below,
    read_below,
    remove_below,
    require_root_owned,
    write_beside,
)

PROGRAMS = "/usr/local/lib/desi-lab"

# Where packages are installed. No lab is given one of these as its folder.
SYSTEM_PLACES = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/snap", "/nix/store", "/gnu/store")

# SHA-256 of the reviewed rclone in the wheel that requirements.txt pins.
RCLONE_BUILDS = {
    "ed7ab1f17876bb006c3df3949a3044959671afd9112362dacaa5dd1647735bc1": "1.75.2",  # linux, x86-64
    "5aa85195f836e62f76e9dbb94dada612bd08be892f8f4196ec54ed7fee01a3c0": "1.75.2",  # linux, arm64
}
RCLONE_VERSION = "1.75.2"
RCLONE_LIMIT = 200 << 20

# Of the parts of the relay; the oldest Python that they run on.
RELAY_PROGRAM, RELAY_LIMIT, OLDEST_PYTHON = "desi_stream/__main__.py", 1 << 20, (3, 9)
_RELAY_MAIN = "import sys\nfrom desi_stream.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
PYTHONS = ("/usr/bin/python3", "/usr/libexec/platform-python", *(f"/usr/bin/python3.{n}" for n in range(14, 8, -1)))
PYTHONS += ("/usr/local/bin/python3",)

# What this and earlier versions put there; whatever else lies there is somebody else's. In a directory of another name
# what is in a file has to prove it.
_OURS = re.compile(r"(relay-[0-9a-f]{12}(\.pyz)?|rclone-[0-9.]+|stream|desi_stream|\.rclone\.[0-9a-f]{16})")


def require_program(path: str, programs: str = PROGRAMS) -> str:
    """Return the real path of a program that root may run. LabError names the unsafe part."""
    real = require_root_owned(path)
    if not any(real.startswith(f"{place}/") for place in (*SYSTEM_PLACES, programs.rstrip("/"))):
        raise LabError(
            f"The program {path} is not run with the rights of root.",
            f"It lies neither where packages put programs nor in {programs}.",
            "Install it by the package manager of this computer.",
        )
    return real


def require_command(command: Sequence[str], mountpoint: str, programs: str = PROGRAMS) -> None:
    """Verify that nobody but root can change any path in a command that root runs."""
    require_program(command[0], programs)
    for word in command:
        value = word if word.startswith("/") else word.partition("=")[2]
        if not value.startswith("/") or value == os.devnull:
            continue
        if value == mountpoint or not os.path.lexists(value):
            require_root_owned(posixpath.dirname(value))
        elif word.startswith("/") and Path(value).is_file():
            require_program(value, programs)
        else:
            require_root_owned(value)


def find_python() -> str:
    """Return a system Python that can run the relay, empty if there is none."""
    for path in PYTHONS:
        with contextlib.suppress(LabError, OSError, subprocess.SubprocessError):
            real = require_program(path)
            if _python_version(real) >= OLDEST_PYTHON:
                return path
    return ""


def _python_version(path: str) -> tuple[int, int]:
    named = re.fullmatch(r"python(\d)\.(\d+)", Path(path).name)
    if named:
        return int(named[1]), int(named[2])
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([path, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=20, check=True)
    major, minor = done.stdout.split()
    return int(major), int(minor)


# The relay: a few text files, which the caller has read with the rights of who runs Ansible. They become one program.


def relay_program(files: Mapping[str, str]) -> bytes:
    """Return the relay as a program in one file (see zipapp): the same bytes for the same files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in sorted({**files, "__main__.py": _RELAY_MAIN}.items()):
            archive.writestr(zipfile.ZipInfo("/".join(parts_below(name))), text)
    return made.getvalue()


def _relay_name(program: bytes) -> str:
    return f"relay-{hashlib.sha256(program).hexdigest()[:12]}.pyz"


def relay_path(files: Mapping[str, str], programs: str) -> str:
    """Return where one build of the relay lies. Another build has another place: the one that runs stays whole."""
    return f"{programs}/{_relay_name(relay_program(files))}"


def relay_command(files: Mapping[str, str], python: str, programs: str) -> tuple[str, ...]:
    """Return the command that runs the relay: isolated from the environment, and from what people have installed."""
    if not files or not python:
        return ()
    if RELAY_PROGRAM not in files:
        raise LabError(
            "The bucket cannot be mounted behind the relay.",
            f"Its files have no program {RELAY_PROGRAM}.",
            "Give the files of role data, or leave relay empty.",
        )
    return (python, "-I", "-S", relay_path(files, programs))


def relay_is_installed(files: Mapping[str, str], programs: str) -> bool:
    """Return whether the relay is there as it has to be."""
    program = relay_program(files)
    with contextlib.suppress(LabError, OSError), closing(open_root_owned(programs)) as directory:
        return read_below(directory, _relay_name(program), RELAY_LIMIT) == program
    return False


def install_relay(files: Mapping[str, str], programs: str) -> None:
    with closing(open_root_owned(programs, make=True)) as directory:
        program = relay_program(files)
        write_beside(directory, _relay_name(program), program, 0o644)


# rclone: root runs the bytes that were reviewed, wherever they come from, and no others.


def rclone_path(programs: str) -> str:
    return f"{programs}/rclone-{RCLONE_VERSION}/rclone"


def rclone_is_installed(programs: str) -> bool:
    """Return whether the reviewed rclone is there. Root alone can have put it there, and only after it was hashed."""
    try:
        require_root_owned(rclone_path(programs))
    except LabError:
        return False
    return True


def _open_program(path: str) -> int:
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(f"{path} is not a regular file")
    return opened


def rclone_version(path: str) -> str:
    """Return the version of a reviewed rclone; an empty string for any other file. It is read, and not run."""
    try:
        with os.fdopen(_open_program(path), "rb") as file:
            digest, left = hashlib.sha256(), RCLONE_LIMIT
            while left > 0 and (piece := file.read(1 << 20)):
                digest.update(piece)
                left -= len(piece)
    except OSError:
        return ""
    return RCLONE_BUILDS.get(digest.hexdigest(), "")


def refused_rclone(path: str) -> LabError:
    return LabError(
        f"The program {path} is not run with the rights of root.",
        "Others than root may change it, and it is not the rclone that DESI Lab was tested with.",
        "Remove the virtual environment .venv and run the same command again, or install rclone by the package manager "
        "of this computer.",
    )


def install_rclone(source: str, programs: str) -> None:
    """Copy a reviewed rclone to where root runs it. What is copied is hashed, and not what lies at the source later."""
    above = open_root_owned(programs, make=True)
    beside = f".rclone.{secrets.token_hex(8)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        digest, left = hashlib.sha256(), RCLONE_LIMIT
        with (
            os.fdopen(_open_program(source), "rb") as file,
            os.fdopen(os.open(beside, flags, 0o600, dir_fd=above), "wb") as copy,
        ):
            while left > 0 and (piece := file.read(1 << 20)):
                digest.update(piece)
                copy.write(piece)
                left -= len(piece)
            copy.flush()
            os.fchmod(copy.fileno(), 0o755)
            os.fsync(copy.fileno())
        if digest.hexdigest() not in RCLONE_BUILDS:
            raise refused_rclone(source)
        with closing(open_root_owned(posixpath.dirname(rclone_path(programs)), make=True)) as directory:
            os.rename(beside, "rclone", src_dir_fd=above, dst_dir_fd=directory)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=above)
        os.close(above)


def remove_unused(programs: str, used: Iterable[str]) -> list[str]:
    """Remove the programs of ours that none of these texts names (commands, units); return the names of those."""
    if not Path(programs).is_dir():
        return []
    texts = "\0".join(used)
    directory = open_root_owned(programs)
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if _is_ours(programs, directory, entry.name))
        # What 0.1.0 put there is a program and the package beside it.
        in_use = {name for name in names if f"{programs}/{name}" in texts}
        in_use |= {"desi_stream"} if "stream" in in_use else set()
        unused = [name for name in names if name not in in_use]
        for name in unused:
            remove_below(directory, name)
        return unused
    finally:
        os.close(directory)
        with contextlib.suppress(OSError):
            Path(programs).rmdir()


def _is_ours(programs: str, directory: int, name: str) -> bool:
    if not _OURS.fullmatch(name) or posixpath.basename(programs.rstrip("/")) == posixpath.basename(PROGRAMS):
        return bool(_OURS.fullmatch(name))
    with contextlib.suppress(OSError, ValueError):
        rclone = rclone_path(programs)
        if name == posixpath.basename(posixpath.dirname(rclone)):
            return list(Path(rclone).parent.iterdir()) == [Path(rclone)] and bool(rclone_version(rclone))
        return name == _relay_name(read_below(directory, name, RELAY_LIMIT))
    return False
