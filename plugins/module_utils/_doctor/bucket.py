# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucket checks with a few small requests: availability, speed and clock difference."""

from __future__ import annotations

import html
import http.client
import re
import socket
import statistics
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime

from .._common.errors import LabError
from .._common.network import proxy_for
from .._common.web import is_loopback_url, make_opener
from .._mount.bucket_probe import check_proxy, explain_answer, explain_exception, listing_url, read_answer, tls_context
from .._mount.spec import MountSpec
from .findings import Finding, from_error
from .network_checks import Measured, judge_bucket, judge_clock

SMALL_REQUESTS = 3
# Enough to pass TCP slow start, and little for metered connections.
READ_BYTES = 4 * 2**20
# With less, latency dominates the rate.
TELLING_BYTES = 2**18
READ_SECONDS = 2.5
LISTED = 200
# Date headers have a resolution of a second.
HALF_A_SECOND = 0.5

_OBJECT = re.compile(rb"<Contents>.*?<Key>(.*?)</Key>.*?<Size>(\d+)</Size>.*?</Contents>", re.DOTALL)


class Reply(t.NamedTuple):
    """A response, with its start time and duration."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes
    asked: float
    seconds: float


class Bucket:
    """A bucket queried without credentials, until a monotonic deadline."""

    def __init__(self, spec: MountSpec, environment: t.Mapping[str, str], seconds: float) -> None:
        self.spec, self.seconds = spec, seconds
        self.end = time.monotonic() + seconds
        self.url = listing_url(spec)
        # Mount tools use no proxy for this computer, either.
        context = tls_context(environment) if self.url.startswith("https:") else None
        direct = is_loopback_url(self.url)
        self.proxy = None if direct else proxy_for(self.url)
        self.opener = make_opener(direct=direct, context=context)

    def findings(self) -> list[Finding]:
        """Return the findings about the bucket and the clock."""
        title, ahead = f"Bucket {self.spec.bucket}", None
        try:
            measured = self.measure()
            return [*judge_bucket(self.spec.bucket, measured), *judge_clock(measured.ahead)]
        except LabError as error:
            found = from_error("bucket", title, error)
        # A wrong clock may be why certificates are not valid.
        if self.url.startswith("https:") and "certificate" in found.why:
            ahead = self.ahead_in_plain()
        return [found, *judge_clock(ahead)]

    def measure(self) -> Measured:
        """Time a few small requests and one partial read; raise LabError if the bucket cannot be used."""
        check_proxy(self.spec, self.proxy)
        try:
            replies = [self.get(self.url) for _number in range(SMALL_REQUESTS)]
            for reply in replies:
                refusal = explain_answer(self.spec, read_answer(reply.status, reply.headers, reply.body), self.proxy)
                if refusal:
                    raise refusal
            rate, read = self.read_some(self.objects())
        except (OSError, http.client.HTTPException) as problem:
            raise explain_exception(self.spec, problem, self.seconds, self.proxy) from None
        aheads = [ahead for ahead in map(ahead_of, replies) if ahead is not None]
        seconds = statistics.median(reply.seconds for reply in replies)
        return Measured(seconds, rate, read, statistics.median(aheads) if aheads else None)

    def objects(self) -> list[tuple[str, int]]:
        """Return some objects of the bucket with their sizes, the largest first."""
        listing = self.get(self.url.replace("max-keys=1&", f"max-keys={LISTED}&"), limit=2**20).body
        found = [(html.unescape(key.decode(errors="replace")), int(size)) for key, size in _OBJECT.findall(listing)]
        return sorted(found, key=lambda each: -each[1])

    def read_some(self, objects: t.Sequence[tuple[str, int]]) -> tuple[float | None, int]:
        """Read the beginning of the largest object; return bytes per second and bytes read."""
        if not objects:
            return None, 0
        base = self.url.partition("?")[0].rstrip("/")
        url = f"{base}/{urllib.parse.quote(objects[0][0])}"
        reply = self.get(url, READ_BYTES, {"Range": f"bytes=0-{READ_BYTES - 1}"}, READ_SECONDS)
        if reply.status not in (200, 206):
            raise LabError(
                f'The bucket "{self.spec.bucket}" can be listed, but not read.',
                f"An object in it was answered with the HTTP status {reply.status}.",
                "ask whoever runs it to let everybody read, or use another: -e lab_bucket=… -e lab_endpoint=…",
            )
        read = len(reply.body)
        telling = read >= TELLING_BYTES or reply.seconds >= READ_SECONDS
        return (read / max(reply.seconds, 1e-6) if telling else None), read

    def get(
        self, url: str, limit: int = 2**16, headers: t.Mapping[str, str] | None = None, seconds: float | None = None
    ) -> Reply:
        """Send a request; what has not arrived after ``seconds`` is left out."""
        left = min(self.end - time.monotonic(), seconds or self.seconds)
        if left <= 0:
            raise TimeoutError
        request = urllib.request.Request(url, headers={"User-Agent": "desi-lab", **(headers or {})})  # noqa: S310 - listing_url() made it
        asked, began = time.time(), time.monotonic()
        try:
            response = self.opener.open(request, timeout=left)
        except urllib.error.HTTPError as refused:
            response = refused
        with response:
            known = {name.lower(): value for name, value in response.headers.items()}
            body, enough = b"", None if seconds is None else time.monotonic() + seconds
            while len(body) < limit:
                if time.monotonic() > self.end:
                    raise TimeoutError
                if enough is not None and time.monotonic() > enough:
                    break
                try:
                    piece = response.read1(2**16) if hasattr(response, "read1") else response.read(2**16)
                # The same class only since Python 3.10.
                except (TimeoutError, socket.timeout):
                    if enough is None:
                        raise
                    break
                if not piece:
                    break
                body += piece
            return Reply(response.status, known, body, asked, time.monotonic() - began)

    def ahead_in_plain(self) -> float | None:
        """Return the clock difference, queried without TLS; None if unknown."""
        host = urllib.parse.urlsplit(self.url).hostname or ""
        self.end = max(self.end, time.monotonic() + 1.0)
        try:
            return ahead_of(self.get(f"http://{host}/"))
        except (OSError, http.client.HTTPException, ValueError):
            return None


def ahead_of(reply: Reply) -> float | None:
    """Return how many seconds the local clock is ahead of a server's; None without a Date header."""
    try:
        theirs = parsedate_to_datetime(reply.headers["date"]).timestamp() + HALF_A_SECOND
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return reply.asked + reply.seconds / 2 - theirs
