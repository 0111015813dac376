# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bug report bundle: one archive, mode 0600, that never replaces a file."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import typing as t
from pathlib import Path

from .._common.errors import LabError
from .._common.files import closing, open_directory
from .._common.privileges import as_caller
from .._common.text import shell_path
from .bundle_redact import Cleaner

ENDS = (".tar.gz", ".tgz")
TOP = "desi-lab-bundle"
README = "README.txt"
# Of each text, the end.
LONGEST = 400_000
_WHAT = "No bundle was written."


def check_path(path: Path) -> None:
    """Refuse an invalid name, or one that exists."""
    if not path.name.endswith(ENDS):
        do = f"name it so: -e lab_bundle={shell_path((path.name or 'desi-lab') + ENDS[0])}"
        raise LabError(_WHAT, f"The name {path.name} does not end in {ENDS[0]}, and an archive is written.", do)
    if os.path.lexists(path):
        raise LabError(_WHAT, f"There is something at {path} already.", "choose another name, or remove it first")
    if not path.parent.is_dir():
        raise LabError(_WHAT, f"There is no folder {path.parent}.", "make it, or choose another one")


def about(members: t.Mapping[str, str]) -> str:
    """Return the README of a bundle."""
    lines = [
        "A bundle of DESI Lab, for a bug report.",
        "",
        "Tokens, keys, passwords, account numbers, public addresses and the names of you and of your computer were",
        "taken out as far as they can be known as such. Review every file before you send it to anybody.",
        "",
        *(f"{name:<24}{len(text.encode()):>9} bytes" for name, text in sorted(members.items())),
    ]
    return "\n".join(lines) + "\n"


def cleaned(members: t.Mapping[str, str], cleaner: Cleaner) -> dict[str, str]:
    """Return the redacted texts of a bundle; raise LabError if a known secret remains in one."""
    # All of it before it is cut, so that no part of a secret stays at the cut.
    whole = {cleaner.clean(name): cleaner.clean(text) for name, text in members.items()}
    clean = {name: text if len(text) <= LONGEST else f"…\n{text[-LONGEST:]}" for name, text in whole.items()}
    left = [name for name, text in clean.items() if cleaner.holds_secret(f"{name} {text}")]
    if left:
        do = "report this, without a bundle: what was to be hidden could not be"
        raise LabError(_WHAT, f"A secret could not be taken out of {', '.join(left)}.", do)
    return {README: about(clean), **clean}


def archive(members: t.Mapping[str, str], now: float) -> bytes:
    """Return the archive, without any names of users."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=now) as zipped,
        tarfile.open(mode="w", fileobj=zipped, format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, text in members.items():
            data = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"{TOP}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def write(path: Path, members: t.Mapping[str, str], environment: t.Mapping[str, str]) -> None:
    """Create the archive for its owner alone; under sudo, that is the caller."""
    check_path(path)
    data = archive(members, time.time())
    try:
        with as_caller(environment):
            with closing(open_directory(str(path.parent))) as directory:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                number = os.open(path.name, flags, 0o600, dir_fd=directory)
            with os.fdopen(number, "wb") as opened:
                opened.write(data)
    except FileExistsError:
        raise LabError(_WHAT, f"There is something at {path} already.", "choose another name") from None
    except OSError as error:
        raise LabError(_WHAT, f"{path} cannot be written ({error.strerror}).", "choose another folder") from None
