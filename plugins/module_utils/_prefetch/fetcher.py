# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prefetch files into a mount's cache by reading them through the mount."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .._common.errors import LabError
from .._common.files import closing, open_directory, open_lock, open_root_owned, read_below, wait_for_lock, write_beside
from .._common.humanize import decimal_size
from .._common.names import object_in
from . import selection as words

PIECE = 1 << 20
# Four reach 60 MB/s of 100 MB/s at 60 ms, eight all of it (bench/stream --columns prefetch).
SIDE_BY_SIDE = 8
RESERVE = 2 << 30
CATALOG_COLUMNS = ("TARGETID", "TARGET_RA", "TARGET_DEC", "HEALPIX")
LOCK = "prefetch.lock"
STATE, STATE_LIMIT = "prefetched.json", 256 << 20
KEEP_EACH = 1.0


@dataclass
class Fetch:
    """One run: a release in a mount, its cache, and where progress is reported."""

    root: Path
    specprod: str
    cache: Path
    cache_max: int = 0
    report: Callable[[str], None] = lambda _text: None
    searched: list[str] = field(default_factory=list)  # the catalogs that were read
    _done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def files(self, asked: list[str]) -> list[Path]:
        """Return the selected files, each once."""
        found: dict[Path, None] = {}
        for word in words.with_whole_cones(asked):
            requested = words.parse_selection(word, self.specprod)
            patterns = requested.patterns or self._patterns_of(requested)
            matched = self._match(
                patterns, bool(requested.patterns) and len(requested.patterns) == 2 and ":" not in word
            )
            if not matched:
                # Newer versions of Python pass over what cannot be listed.
                next(self.root.iterdir(), None)
                raise self._nothing(requested)
            found.update(dict.fromkeys(matched))
        return list(found)

    def _nothing(self, requested: words.Selection) -> LabError:
        what = f'Nothing is there for "{requested.word}".'
        if requested.patterns:
            return LabError(
                what,
                f"The release has no file of that name, nor has its production {self.specprod}.",
                "Check the names: case matters, and patterns need a * for each folder.",
            )
        return LabError(
            what,
            f"None of its targets is in the catalogs zpix-*.fits of the production {self.specprod}.",
            "Check its numbers, or the release: -e lab_release=…",
        )

    def _match(self, patterns: tuple[str, ...], first_only: bool) -> list[Path]:
        found: list[Path] = []
        for pattern in patterns:
            for path in sorted(self.root.glob(pattern)):
                found += sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
            if found and first_only:
                break
        return found

    def _patterns_of(self, requested: words.Selection) -> tuple[str, ...]:
        """Search the catalogs of all programs for targets or a cone."""
        targets: set[int] = set()
        if requested.targets:
            try:
                targets = words.parse_targets(Path(requested.targets).read_text(), requested.word)
            except (OSError, UnicodeDecodeError) as problem:
                why = f"The file cannot be read ({getattr(problem, 'strerror', '') or 'it is no text'})."
                raise LabError(f'"{requested.word}" cannot be fetched.', why, "Check its path.") from None
        redux = f"spectro/redux/{self.specprod}"
        catalogs = [
            path for where in ("zcatalog/v1", "zcatalog") for path in self.root.glob(f"{redux}/{where}/zpix-*.fits")
        ]
        if not catalogs:
            why = "To find targets, the catalogs zpix-*.fits of the production are searched, and there are none."
            raise LabError(f'"{requested.word}" cannot be fetched.', why, "Name healpixels or files instead.")
        directories: set[str] = set()
        for catalog in sorted(catalogs):
            self.report(f"searching {catalog.name} ({decimal_size(catalog.stat().st_size)})")
            self.searched.append(str(catalog.relative_to(self.root)))
            try:
                survey, program = catalog.stem.split("-")[1:3]
                with catalog.open("rb", buffering=PIECE) as file:
                    for target, ra, dec, pixel in words.catalog_rows(file, CATALOG_COLUMNS):
                        if target in targets or (requested.cone and words.in_cone(requested.cone, ra, dec)):
                            directories.add(words.directory_of(survey, program, int(pixel)))
            except (KeyError, OSError, ValueError, struct.error) as problem:
                raise LabError(
                    f'"{requested.word}" cannot be fetched.',
                    f"The catalog {catalog.name} cannot be read ({problem}).",
                    "Run the same command again. If it stays so, name healpixels or files instead.",
                ) from None
        return tuple(f"{redux}/{directory}/{name}" for directory in sorted(directories) for name in words.USUAL)

    def plan(self, asked: list[str]) -> tuple[list[tuple[Path, int]], int]:
        """Return the files to fetch with their sizes, and the size of all; refuse what does not fit."""
        sizes = {path: path.stat().st_size for path in self.files(asked)}
        known = self._known()
        left = [(path, size) for path, size in sizes.items() if not self._is_kept(path, size, known)]
        total = sum(sizes.values())
        there = next(directory for directory in (self.cache, *self.cache.parents) if directory.is_dir())
        kept = total - sum(size for _path, size in left)
        words.check_room(total, kept, self.cache_max, shutil.disk_usage(there).free, RESERVE)
        return left, total

    def _known(self) -> dict[str, list[float]]:
        with contextlib.suppress(OSError), closing(open_directory(str(self.cache))) as directory:
            return object_in(read_below(directory, STATE, STATE_LIMIT))
        return {}

    def _is_kept(self, path: Path, size: int, known: dict[str, list[float]]) -> bool:
        """Return whether a verified file is unchanged and still in the cache."""
        name = str(path.relative_to(self.root))
        if known.get(name) != [size, path.stat().st_mtime]:
            return False
        if size == 0:
            return True
        # Below vfs: the remote, the bucket, and the prefix, which may be nested.
        places = [self.cache.glob(f"vfs/*/*{deeper}/{self.root.name}") for deeper in ("", "/*", "/*/*")]
        copies = [place / name for found in places for place in found]
        return any(copy.is_file() and copy.stat().st_blocks * 512 >= size for copy in copies)

    def run(self, left: list[tuple[Path, int]]) -> dict[str, list[str]]:
        """Read the files; return the names that are verified, unverified (no checksum) and wrong."""
        outcome: dict[str, list[str]] = {"verified": [], "unverified": [], "wrong": []}
        total, began, ended = sum(size for _path, size in left), time.monotonic(), threading.Event()

        def report() -> None:
            while not ended.wait(0.5):
                self.report(words.progress_words(self._done, total, time.monotonic() - began))

        directory = open_cache(str(self.cache))
        teller = threading.Thread(target=report, daemon=True)
        teller.start()
        sums = {directory: self._sums(directory) for directory in {path.parent for path, _size in left}}
        known, kept = self._known(), time.monotonic()
        try:
            with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                for (path, size), digest in zip(left, pool.map(lambda one: self._read(one[0]), left)):
                    expected, name = sums[path.parent].get(path.name), str(path.relative_to(self.root))
                    verdict = "unverified" if expected is None else "verified" if expected == digest else "wrong"
                    outcome[verdict].append(name)
                    if verdict != "wrong":
                        known[name] = [size, path.stat().st_mtime]
                    # Not for each small file, as it is written whole.
                    if time.monotonic() - kept > KEEP_EACH:
                        self._keep(directory, known)
                        kept = time.monotonic()
        finally:
            self._keep(directory, known)
            os.close(directory)
            ended.set()
            teller.join()
        return outcome

    def _sums(self, directory: Path) -> dict[str, str]:
        found: dict[str, str] = {}
        for side in directory.glob("*.sha256sum"):
            found.update(words.parse_checksums(side.read_text(errors="replace")))
        return found

    def _read(self, path: Path) -> str:
        digest = hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as file:
                buffer = bytearray(PIECE)
                while count := file.readinto(buffer):
                    digest.update(memoryview(buffer)[:count])
                    with self._lock:
                        self._done += count
        except OSError as problem:
            raise interrupted(f"{path.name} could not be read to its end.", problem) from None
        return digest.hexdigest()

    def _keep(self, directory: int, known: dict[str, list[float]]) -> None:
        with contextlib.suppress(OSError):
            write_beside(directory, STATE, json.dumps(known).encode())


def interrupted(what: str, problem: OSError) -> LabError:
    """Return the error for a mount or a disk that fails in between."""
    where = f"{problem.filename}: " if problem.filename else ""
    why = f"{where}{problem.strerror or problem}."
    return LabError(what, why, "Run the same command again: it goes on where it was.")


@contextlib.contextmanager
def alone(cache: str, report: Callable[[str], None]) -> Iterator[None]:
    """Let no other run fetch into a cache meanwhile: what it has verified would be written over."""
    with closing(open_cache(cache)) as directory:
        lock = open_lock(directory, LOCK)
    with closing(lock):
        wait_for_lock(lock, lambda: report("waiting for another run that fetches into the same cache"))
        yield


def open_cache(path: str) -> int:
    """Open a directory to write in: for root, one that only root can change or replace."""
    return open_root_owned(path) if os.geteuid() == 0 else open_directory(path)
