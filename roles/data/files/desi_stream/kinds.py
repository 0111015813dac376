# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was learned of each kind of file, kept so that the first file of tomorrow is as fast as the second of today."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

from .fits import Header
from .storage import own_directory, write_beside

MOST = 1000


class Kinds:
    """The headers of one file of each kind."""

    def __init__(self, file: Path | None = None) -> None:
        self._file, self._lock = file, threading.Lock()
        self._known: dict[str, list[Header]] = {}
        if file:
            # What cannot be read is learned anew.
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                self._known = _read(json.loads(file.read_text()))

    def get(self, kind: str) -> list[Header]:
        return self._known.get(kind, [])

    def learn(self, kind: str, headers: list[Header]) -> None:
        with self._lock:
            if self._known.get(kind) == headers or (kind not in self._known and len(self._known) >= MOST):
                return
            self._known[kind] = list(headers)
            if self._file:
                self._write(self._file)

    def _write(self, file: Path) -> None:
        text = json.dumps({kind: [vars(header) for header in known] for kind, known in self._known.items()})
        # A disk that is full is no reason to read more slowly.
        with contextlib.suppress(OSError), own_directory(file.parent) as folder:
            write_beside(folder, file.name, text.encode())


def _read(found: dict[str, list[dict[str, int | list[int]]]]) -> dict[str, list[Header]]:
    known = {}
    for kind, headers in found.items():
        known[kind] = [Header(h["blocks"], h["width"], tuple(h["axes"]), h["extra"]) for h in headers]  # type: ignore[arg-type] - from JSON
    return known
