# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What folders hold: asked for ahead of whoever walks through them one after the other.

The second folder of several that lie side by side is taken for a walk: then the others are asked for, many at a time.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from html import unescape
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from .upstream import AHEAD, DEMANDED, GUESSED, Away, Upstream, entity_tag

# As long as rclone keeps what it has asked for itself.
KEPT = 3600.0
WALK = 2
# A folder with more folders than this is not read ahead to its end at once.
AT_ONCE = 400
# Where there are no more folders than this, all of them are looked into at once, and so on: it is the way to the data.
FEW = 12
DEPTH = 6
MOST_GUESSED = 300


class Known(NamedTuple):
    """What is known of an object from where it was listed or read."""

    tag: str = ""
    size: int = 0
    modified: str = ""  # as in a header


@dataclass(frozen=True)
class Listed:
    """The server's answer to a question for a folder."""

    status: int
    body: bytes


@dataclass
class Kept:
    until: float
    answer: Future[Listed] = field(default_factory=Future)
    size: int = 0


def read_names(body: bytes) -> tuple[list[str], dict[str, Known]]:
    """Return the folders in a listing, and the tags and sizes of the objects in it by their keys."""
    text = body.decode(errors="replace")
    encoded = "<EncodingType>url</EncodingType>" in text

    def plain(name: str) -> str:
        return unquote(unescape(name).replace("+", " ")) if encoded else unescape(name)

    folders = [plain(name) for name in re.findall(r"<CommonPrefixes>\s*<Prefix>(.*?)</Prefix>", text, re.DOTALL)]
    tags = {}
    for content in re.findall(r"<Contents>(.*?)</Contents>", text, re.DOTALL):
        parts = dict(re.findall(r"<(Key|ETag|Size|LastModified)>(.*?)</", content, re.DOTALL))
        if "Key" in parts and "ETag" in parts:
            modified = header_date(parts.get("LastModified", ""))
            tags[plain(parts["Key"])] = Known(entity_tag(unescape(parts["ETag"])), int(parts.get("Size", 0)), modified)
    return folders, tags


def folders_win(body: bytes) -> bytes:
    """Leave out of a listing the objects that have the name of a folder, which they would hide from a mount tool."""
    prefixes = re.findall(rb"<CommonPrefixes>\s*<Prefix>(.*?)(?:/|%2F)</Prefix>", body, re.DOTALL)
    if not prefixes:
        return body
    folders = set(prefixes)

    def kept(content: re.Match[bytes]) -> bytes:
        key = re.search(rb"<Key>(.*?)</Key>", content[0], re.DOTALL)
        return b"" if key and key[1] in folders else content[0]

    return re.sub(rb"<Contents>.*?</Contents>", kept, body, flags=re.DOTALL)


def header_date(date: str) -> str:
    """Write a date of a listing as headers have it, or nothing if it is none."""
    try:
        return format_datetime(
            datetime.fromisoformat(date.replace("Z", "+00:00")).astimezone(timezone.utc), usegmt=True
        )
    except ValueError:
        return ""


class Listings:
    """Listings by question, and the tags that were seen in them."""

    def __init__(self, upstream: Upstream, memory: int) -> None:
        self._upstream, self._memory = upstream, memory
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._siblings: OrderedDict[str, list[str]] = OrderedDict()
        self._visits: dict[str, set[str]] = {}
        self._tags: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._size = self._guessed = 0
        self._lock = threading.Lock()

    def known(self, bucket: str, key: str) -> Known:
        """Return what is known of an object, which may be nothing."""
        return self._tags.get((bucket, key), Known())

    def note(self, bucket: str, key: str, known: Known) -> None:
        with self._lock:
            self._tags[bucket, key] = known
            while len(self._tags) > self._memory // 512:
                self._tags.popitem(last=False)

    def ask(self, question: str) -> Listed:
        """Answer a question for a listing, from what was asked for ahead if it was."""
        found, new = self._place(question)
        if new:
            self._fetch(question, found)
        listed = found.answer.result()
        with self._lock:
            # Whoever asks again wants to know anew.
            if self._kept.pop(question, None):
                self._size -= found.size
        self._follow(question, listed)
        return listed

    def _place(self, question: str) -> tuple[Kept, bool]:
        with self._lock:
            found = self._kept.get(question)
            if found and found.until > time.monotonic():
                return found, False
            found = self._kept[question] = Kept(time.monotonic() + KEPT)
            return found, True

    def _fetch(self, question: str, kept: Kept, depth: int = DEPTH) -> None:
        try:
            status, _headers, body = self._upstream.whole(question, {})
            folders, tags = read_names(body) if status == 200 else ([], {})
        except Exception as problem:
            with self._lock:
                self._kept.pop(question, None)
            # Somebody may wait for it, and has to be told whatever it was.
            kept.answer.set_exception(problem if isinstance(problem, Away) else Away(repr(problem)))
            return
        body = folders_win(body)
        kept.size = len(body) + 512
        bucket = urlsplit(question).path.strip("/")
        if status == 200:
            for key, known in tags.items():
                self.note(bucket, key, known)
            with self._lock:
                self._size += kept.size
                self._siblings[f"{bucket}/{dict(parse_qsl(urlsplit(question).query)).get('prefix', '')}"] = folders
                while len(self._siblings) > 2000:
                    self._siblings.popitem(last=False)
                while self._size > self._memory and len(self._kept) > 1:
                    self._size -= self._kept.popitem(last=False)[1].size
        else:
            with self._lock:
                self._kept.pop(question, None)
        kept.answer.set_result(Listed(status, body))
        if status == 200 and 0 < len(folders) <= FEW and depth > 0 and self._guessed < MOST_GUESSED:
            self._guessed += len(folders)
            parts = urlsplit(question)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            for name in folders:
                self._ahead(f"{parts.path}?{urlencode(sorted({**query, 'prefix': name}.items()))}", GUESSED, depth - 1)

    def _follow(self, question: str, listed: Listed) -> None:
        """Ask ahead: for the rest of a long listing, and for the folders beside one that is not the first."""
        parts = urlsplit(question)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        token = re.search(rb"<NextContinuationToken>(.*?)</NextContinuationToken>", listed.body)
        if token:
            more = {**query, "continuation-token": unescape(token.group(1).decode())}
            self._ahead(f"{parts.path}?{urlencode(sorted(more.items()))}", AHEAD)
        prefix = query.get("prefix", "")
        if "delimiter" not in query or not prefix or "continuation-token" in query:
            return
        parent = f"{parts.path.strip('/')}/{prefix.rstrip('/').rpartition('/')[0]}/".replace("//", "/")
        with self._lock:
            beside = self._siblings.get(parent, [])
            if prefix not in beside:
                return
            visited = self._visits.setdefault(parent, set())
            visited.add(prefix)
            walked = len(visited)
            # The next ones first.
            at = beside.index(prefix)
            others = [name for name in beside[at + 1 :] + beside[:at] if name not in visited]
        if walked < WALK:
            return
        for name in others[: AT_ONCE if walked == WALK else 1]:
            self._ahead(f"{parts.path}?{urlencode(sorted({**query, 'prefix': name}.items()))}", GUESSED)

    def _ahead(self, question: str, urgency: int, depth: int = 0) -> None:
        found, new = self._place(question)
        if new:
            self._upstream.submit(urgency, lambda: self._fetch(question, found, depth))


def canonical(path: str) -> str:
    """Write a question in the one way in which questions are kept."""
    parts = urlsplit(path)
    return f"{parts.path}?{urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)))}"


__all__ = ["DEMANDED", "Listed", "Listings", "canonical", "read_names"]
