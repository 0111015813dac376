# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One object, read from some place on: in blocks that are fetched side by side, the more the longer somebody reads on.

Who jumps through a file gets one small block for each jump, over a connection that is open already. Who reads on gets
eight times as much ahead with each step, until the line is full. Blocks of two versions of an object are never put
together.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .upstream import AHEAD, DEMANDED, PATIENCE, Away, Upstream

PIECE = 256 * 1024


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
        headers = {
            "Range": f"bytes={first}-{last}",
            "Accept-Encoding": "identity",
            **({"If-Match": self.etag} if self.etag else {}),
        }
        answer = self._upstream.ask(self._path, headers)
        try:
            if answer.status not in (200, 206):
                raise Refused(answer.status)
            tag = answer.headers.get("etag", "")
            if self.etag and tag and tag != self.etag:
                raise Refused(412)
            self.etag = self.etag or tag
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


class Reading:
    """What one client reads of an object."""

    def __init__(
        self,
        upstream: Upstream,
        path: str,
        start: int,
        end: int | None,
        etag: str,
        sizes: Sizes,
        budget: Budget,
        spot: Block | None,
        seen: Callable[[str, str, int, int, bytearray], None],
    ) -> None:
        self._upstream, self._fetcher, self._sizes, self._budget = (
            upstream,
            Fetcher(upstream, path, etag),
            sizes,
            budget,
        )
        self._next, self._end = start, end  # the end is the first byte that is not wanted
        self._window = sizes.first
        self._blocks: deque[Block] = deque()
        self._spot = spot
        if spot:
            self._next = spot.start + spot.size
        else:
            self._demand(sizes.first, DEMANDED)
        self._start, self._seen, self._path, self._fresh = start, seen, path, spot is None

    def _demand(self, size: int, urgency: int) -> bool:
        size = size if self._end is None else min(size, self._end - self._next)
        if size <= 0 or not self._budget.take(size, urgency == DEMANDED):
            return False
        block = Block(self._next, size)
        self._next += size
        self._blocks.append(block)
        self._upstream.submit(urgency, lambda: self._fetch(block))
        return True

    def head(self) -> Block:
        """Return the first block once the server has answered."""
        block = self._spot or self._blocks[0]
        block.wait_head()
        self.total = total_of(block)
        self._end = self.total if self._end is None else min(self._end, self.total)
        return block

    @property
    def end(self) -> int:
        return self._end or 0

    @property
    def etag(self) -> str:
        return self._fetcher.etag

    def pieces(self, is_left: Callable[[], bool]) -> Iterator[memoryview]:
        """Give the bytes in order, as they come in, unless the reader has left."""
        if self._spot:
            yield from self._of(self._spot, self._start - self._spot.start)
            if self._next < self.end and is_left():
                return
        while self._blocks or self._next < self.end:
            if not self._blocks:
                self._demand(self._window if self._window < self._sizes.block else self._sizes.block, DEMANDED)
            block = self._blocks[0]
            yield from self._of(block, 0)
            self._blocks.popleft()
            self._budget.give(block.size)
            block.data = bytearray()
            self._window = min(self._window * self._sizes.growth, self._sizes.ahead)
            self._read_ahead()

    def _of(self, block: Block, sent: int) -> Iterator[memoryview]:
        size = min(block.size, self.end - block.start)
        while sent < size:
            filled = min(block.wait_beyond(sent), size)
            if filled <= sent:
                raise Away("the object is shorter than it was")
            yield memoryview(block.data)[sent:filled]
            sent = filled

    def _fetch(self, block: Block) -> None:
        self._fetcher.fetch(block)
        if self._fresh and block.filled:
            self._fresh = False
            self._seen(self._path, self.etag, total_of(block), block.start, block.data)

    def _read_ahead(self) -> None:
        under_way = sum(block.size for block in self._blocks)
        size = max(self._sizes.first, min(self._sizes.block, self._window // 4))
        while under_way < self._window and self._demand(size, AHEAD):
            under_way += size

    def close(self) -> None:
        for block in self._blocks:
            block.unwanted = True
            self._budget.give(block.size)
        self._blocks.clear()
