# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of conflicting files, and the one-line report of a sync."""

from __future__ import annotations

import posixpath
import typing as t
from datetime import datetime, timezone

from ansible_collections.desi.lab.plugins.module_utils._common.humanize import decimal_size

LONGEST_NAME = 255


def conflict_name(path: str, host: str, entry: t.Sequence[t.Any]) -> str:
    """Return the name of a losing file, with its host and time."""
    directory, name = posixpath.split(path)
    when = datetime.fromtimestamp(entry[2] / 1e9, timezone.utc).strftime("%Y%m%dT%H%M%S")
    # Space for a number.
    end = f".conflict-{host}-{when}"
    room = LONGEST_NAME - len(end.encode()) - 4
    short = name.encode(errors="surrogateescape")[:room].decode(errors="ignore")
    return posixpath.join(directory, f"{short}{end}")


def how(files: t.Sequence[int], sizes: t.Sequence[int], removed: t.Sequence[int], conflicts: int) -> str:
    """Return a summary of a sync: files and bytes brought and sent, removals, and conflicts."""
    parts = []
    for number, size, word in zip(files, sizes, ("brought", "sent")):
        if number:
            parts.append(f"{number} {'file' if number == 1 else 'files'} {word} ({decimal_size(size)})")
    for number, place in zip(removed, ("here", "there")):
        if number:
            parts.append(f"{number} removed {place}")
    if conflicts:
        parts.append(f"{conflicts} kept twice")
    return ", ".join(parts) or "nothing to do"
