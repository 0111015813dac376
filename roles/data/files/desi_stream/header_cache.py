# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocks of an object that will be read next, fetched ahead: the headers of FITS files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from . import fits
from .fits import HEADER_BYTES, MOST_HEADERS, Header
from .kinds import Kinds
from .reader import Block, Fetcher
from .upstream import AHEAD, Upstream

Object = tuple[str, str]  # path and tag
OBJECTS = 4096


@dataclass
class Chain:
    """The headers of an object that were seen, from its beginning on."""

    headers: list[Header] = field(default_factory=list)

    @property
    def next(self) -> int:
        return fits.length_of(self.headers)


class HeaderCache:
    """Blocks by object and place, the oldest forgotten first; and what is known of each kind of file."""

    def __init__(self, upstream: Upstream, memory: int, first: int, kinds: Kinds) -> None:
        self._upstream, self._first = upstream, first
        self._memory, self._size = memory, 0
        self._blocks: OrderedDict[Object, list[Block]] = OrderedDict()
        self._chains: OrderedDict[Object, Chain] = OrderedDict()
        self._kinds = kinds
        self._lock = threading.Lock()

    def find(self, path: str, tag: str, start: int) -> Block | None:
        """Return the block that holds a place, there or under way."""
        if not tag:
            return None
        with self._lock:
            return self._find(path, tag, start)

    def _find(self, path: str, tag: str, start: int) -> Block | None:
        for block in self._blocks.get((path, tag), []):
            if block.start <= start < block.start + block.size and not block.problem:
                return block
        return None

    def opened(self, path: str, tag: str, size: int) -> None:
        """An object is read from its beginning: if its size tells where its headers are, have them fetched."""
        known = self._kinds.get(fits.kind_of(path))
        chain = self._chain(path, tag)
        if known and chain and size:
            self._fetch_all(chain, path, tag, size, fits.guess_from_size(known, size))

    def seen(self, path: str, tag: str, size: int, start: int, data: bytes | bytearray) -> None:
        """Bytes of an object have come: learn from the headers in them, and guess where the others are."""
        kind, chain = fits.kind_of(path), self._chain(path, tag)
        if not chain:
            return
        with self._lock:
            before = len(chain.headers)
            while len(chain.headers) < MOST_HEADERS and start <= chain.next < start + len(data):
                header = fits.read_header(bytes(data[chain.next - start :][:HEADER_BYTES]))
                if not header:
                    break
                chain.headers.append(header)
            known = self._kinds.get(kind)
            grown = len(chain.headers) > before
            if grown and chain.next == size:
                self._kinds.learn(kind, chain.headers)
        if known and before == 0 and grown:
            # What was guessed from the size may have been wrong.
            self._fetch_all(chain, path, tag, size, fits.guess_from_first(known, chain.headers))
        elif not known and grown and chain.next < size:
            # The first of its kind is looked through: a reader that reads on would show only some of its headers.
            self._fetch_places(path, tag, size, [chain.next])

    def _chain(self, path: str, tag: str) -> Chain | None:
        if not fits.kind_of(path) or not tag:
            return None
        with self._lock:
            chain = self._chains.setdefault((path, tag), Chain())
            while len(self._chains) > OBJECTS:
                self._chains.popitem(last=False)
            return chain

    def _fetch_all(self, chain: Chain, path: str, tag: str, size: int, headers: list[Header]) -> None:
        places = fits.places_of(headers)[len(chain.headers) :]
        # What is near the beginning comes with the first block.
        with self._lock:
            missing = [place for place in places if self._first <= place < size and not self._find(path, tag, place)]
        self._fetch_places(path, tag, size, missing)

    def _fetch_places(self, path: str, tag: str, size: int, places: list[int]) -> None:
        # cfitsio looks at the end of a file before all else.
        for start, end in reversed(fits.ranges_of(places)):
            for piece in range(start, min(end, size), self._first):
                self._fetch(path, tag, Block(piece, min(end, size, piece + self._first) - piece, shared=True), size)

    def _fetch(self, path: str, tag: str, block: Block, size: int) -> None:
        with self._lock:
            self._blocks.setdefault((path, tag), []).append(block)
            self._size += block.size
            while self._size > self._memory and len(self._blocks) > 1:
                self._size -= sum(old.size for old in self._blocks.popitem(last=False)[1])

        def fetch() -> None:
            Fetcher(self._upstream, path, tag).fetch(block)
            self.seen(path, tag, size, block.start, block.data[: block.filled])

        self._upstream.submit(AHEAD, fetch)
