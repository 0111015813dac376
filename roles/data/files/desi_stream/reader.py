# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One object, read from some place on: in blocks that are fetched side by side, the more the longer somebody reads on.

Who jumps through a file gets one small block for each jump, over a connection that is open already. Who reads on gets
eight times as much ahead with each step, until the line is full. Blocks of two versions of an object are never put
together.

The mount tool asks for a few bytes first and twice as many with each question. So a question tells what is wanted, and
the one that begins where the last one ended tells that somebody reads on.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from .upstream import AHEAD, DEMANDED, PATIENCE, Away, Upstream, entity_tag, same_version

PIECE = 256 * 1024
# A client that reads on asks again at once; one that thinks for longer than this, in seconds, begins anew.
WAITS = 10.0


@dataclass(frozen=True)
class Sizes:
    """How much is fetched; all of it in bytes."""

    first: int = 1 << 20
    block: int = 4 << 20
    ahead: int = 32 << 20  # of one reader
    growth: int = 8
    memory: int = 96 << 20  # of all readers together


class Refused(Exception):
    """The server does not give what was asked for; its status says why."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Budget:
    """The memory that all readers share."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int, whatever: bool) -> bool:
        """Take so much, if it is there, or whatever there is."""
        with self._lock:
            if self._left < size and not whatever:
                return False
            self._left -= size
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self._left += size


@dataclass
class Block:
    """A piece of the object, as it comes in."""

    start: int
    size: int
    data: bytearray = field(default_factory=bytearray)
    filled: int = 0
    ended: bool = False  # nothing more comes
    problem: Exception | None = None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    unwanted: bool = False
    shared: bool = False  # belongs to more than one reader, and to the budget of none
    news: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, count: int = 0, ended: bool = False, problem: Exception | None = None) -> None:
        with self.news:
            self.filled += count
            self.ended = self.ended or ended or problem is not None
            self.problem = self.problem or problem
            self.news.notify_all()

    def wait_beyond(self, count: int) -> int:
        """Wait until more than so many bytes are there, or no more will come."""
        with self.news:
            self.news.wait_for(lambda: self.filled > count or self.ended)
            if self.filled <= count and self.problem:
                raise self.problem
            return self.filled

    def wait_head(self) -> None:
        with self.news:
            self.news.wait_for(lambda: self.status or self.ended)
            if not self.status and self.problem:
                raise self.problem


def total_of(block: Block) -> int:
    """Return the size of the object that a block is of, once the server has answered."""
    total = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", block.headers.get("content-range", ""))
    return int(total.group(3)) if total else int(block.headers.get("content-length", 0))


class Fetcher:
    """Fills blocks of one version of an object."""

    def __init__(self, upstream: Upstream, path: str, etag: str) -> None:
        self._upstream, self._path, self.etag = upstream, path, etag
        # If-Match compares strongly, and a weak tag matches nothing.
        self._asks_for_version = not etag.startswith("W/")

    def fetch(self, block: Block) -> None:
        """Fill a block; where the body breaks off, go on from there."""
        deadline = time.monotonic() + PATIENCE
        try:
            while block.filled < block.size and not block.unwanted and not block.ended:
                before = block.filled
                self._some(block)
                if block.filled == before and not block.ended and time.monotonic() > deadline:
                    raise Away("nothing comes")
            block.tell(ended=True)
        except (Away, Refused) as problem:
            block.tell(problem=problem)
        except Exception as problem:
            block.tell(problem=Away(repr(problem)))

    def _some(self, block: Block) -> None:
        first, last = block.start + block.filled, block.start + block.size - 1
        headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        version = {"If-Match": self.etag} if self.etag and self._asks_for_version else {}
        answer = self._upstream.request(self._path, {**headers, **version})
        if answer.status == 412 and version:
            # A server whose tags are weak, or not those that it lists, refuses even its own: the tags decide.
            self._upstream.finish(answer)
            answer = self._upstream.request(self._path, headers)
            self._asks_for_version = False
        try:
            if answer.status not in (200, 206):
                raise Refused(answer.status)
            tag = entity_tag(answer.headers.get("etag", ""))
            if not same_version(self.etag, tag):
                raise Refused(412)
            if not self.etag:
                self.etag, self._asks_for_version = tag, not tag.startswith("W/")
            if answer.status == 206 and not answer.headers.get("content-range", "").startswith(f"bytes {first}-"):
                raise Away("the server gave another range")
            if answer.status == 200 and first > 0:
                raise Away("the server gives no ranges")
            self._fill(block, answer.response, answer.headers, answer.status)
        finally:
            self._upstream.finish(answer)

    def _fill(self, block: Block, response: http.client.HTTPResponse, headers: Mapping[str, str], status: int) -> None:
        length = min(block.size - block.filled, int(headers.get("content-length", block.size)))
        if not block.data:
            block.data = bytearray(block.size)
        with block.news:
            block.status, block.headers = block.status or status, block.headers or headers
            block.news.notify_all()
        # The last block of an object is shorter than it was asked for.
        at_end = status == 206 and length < block.size - block.filled
        view, got = memoryview(block.data), 0
        while got < length and not block.unwanted:
            try:
                count = response.readinto(view[block.filled : block.filled + min(PIECE, length - got)])
            except (OSError, http.client.HTTPException):
                return
            if not count:
                return
            got += count
            block.tell(count)
        if got == length and at_end:
            block.tell(ended=True)


class BlockCache(Protocol):
    """Blocks that are there, or under way, whoever reads."""

    def find(self, path: str, tag: str, start: int) -> Block | None: ...

    def seen(self, path: str, tag: str, size: int, start: int, data: bytes | bytearray) -> None: ...


class Reader:
    """What one client reads of an object, over as many questions as it takes: each goes on where the last one ended."""

    def __init__(
        self,
        upstream: Upstream,
        path: str,
        start: int,
        etag: str,
        total: int,
        sizes: Sizes,
        budget: Budget,
        header_cache: BlockCache,
    ) -> None:
        self.path, self.position, self.total = path, start, total
        self._upstream, self._fetcher = upstream, Fetcher(upstream, path, etag)
        self._sizes, self._budget, self._cache = sizes, budget, header_cache
        self._window = sizes.first
        self._blocks: deque[Block] = deque()
        self._next, self._is_new = start, True
        self.headers: Mapping[str, str] = {}
        self._demand(sizes.first, DEMANDED)
        self.touched = 0.0  # when it was put aside

    @property
    def etag(self) -> str:
        return self._fetcher.etag

    @property
    def jumps(self) -> bool:
        """Tell whether it has not got beyond its first block."""
        return self._window == self._sizes.first

    def held(self) -> int:
        """Return how many bytes of memory it holds on to."""
        return sum(block.size for block in self._blocks)

    def wait_head(self) -> None:
        """Wait until the server has told the size of the object."""
        if self._blocks and not self.headers:
            self._blocks[0].wait_head()
            self.headers = self._blocks[0].headers
            self.total = self.total or total_of(self._blocks[0])

    def pieces(self, end: int) -> Iterator[memoryview]:
        """Give the bytes in order, as they come in; the end is the first that is not wanted.

        The position is behind what is given, so that the last piece can be told before it is sent.
        """
        end = min(end, self.total)
        while self.position < end:
            if not self._blocks:
                self._demand(min(self._window, self._sizes.block), DEMANDED)
            block = self._blocks[0]
            place = self.position - block.start
            filled = min(block.wait_beyond(place), end - block.start)
            if filled <= place:
                raise Away("the object is shorter than it was")
            self.position = block.start + filled
            if filled == block.size:
                self._go_on()
            yield memoryview(block.data)[place:filled]

    def _go_on(self) -> None:
        """Let go of the first block. Who has read it to its end is likely to read on."""
        block = self._blocks.popleft()
        if not block.shared:
            self._budget.give(block.size)
            self._window = min(self._window * self._sizes.growth, self._sizes.ahead)
            self._read_ahead()

    def _read_ahead(self) -> None:
        under_way = sum(block.size for block in self._blocks)
        size = max(self._sizes.first, min(self._sizes.block, self._window // 4))
        while under_way < self._window and self._demand(size, AHEAD):
            under_way += size

    def _demand(self, size: int, urgency: int) -> bool:
        """Take the next block from the cache, or have it fetched."""
        block = self._cache.find(self.path, self.etag, self._next)
        if not block:
            size = min(size, self.total - self._next) if self.total else size
            if size <= 0 or not self._budget.take(size, urgency == DEMANDED):
                return False
            block = Block(self._next, size)
            self._upstream.submit(urgency, partial(self._fetch, block, self._is_new))
        self._is_new = False
        self._next = block.start + block.size
        self._blocks.append(block)
        return True

    def _fetch(self, block: Block, is_first: bool) -> None:
        self._fetcher.fetch(block)
        if is_first and block.filled:
            self._cache.seen(self.path, self.etag, total_of(block), block.start, block.data)

    def close(self) -> None:
        for block in self._blocks:
            if not block.shared:
                block.unwanted = True
                self._budget.give(block.size)
        self._blocks.clear()


class WaitingReaders:
    """Those that wait for their client's next question. A client that jumps away says nothing: they go by their age."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._waiting: dict[tuple[str, str, int], Reader] = {}
        self._lock = threading.Lock()

    def take(self, path: str, etag: str, start: int) -> Reader | None:
        """Return the one that goes on at this place, if there is one."""
        with self._lock:
            return self._waiting.pop((path, etag, start), None)

    def put(self, reader: Reader) -> None:
        """Keep one for its client's next question."""
        reader.touched = time.monotonic()
        with self._lock:
            place = (reader.path, reader.etag, reader.position)
            old = [self._waiting.pop(place)] if place in self._waiting else []
            self._waiting[place] = reader
            old += self._too_many()
        for one in old:
            one.close()

    def _too_many(self) -> list[Reader]:
        oldest = time.monotonic() - WAITS
        jumped = sum(one.held() for one in self._waiting.values() if one.jumps)
        gone = []
        for place, one in list(self._waiting.items()):
            if one.touched < oldest or (one.jumps and jumped > self._memory):
                jumped -= one.held() if one.jumps else 0
                gone.append(self._waiting.pop(place))
        return gone
