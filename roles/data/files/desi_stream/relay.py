# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the mount tool talks to: an S3 server on the loopback that answers from listings and readings.

Whoever else is on this computer, or has a web page open, can reach a port of the loopback. So the relay answers below a
path that only its own mount knows, for one bucket, and never as something that a browser would run.
"""

from __future__ import annotations

import re
import secrets
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from .header_cache import HeaderCache
from .kinds import Kinds
from .listings import Known, Listings, canonical
from .reader import Budget, Reader, Refused, Sizes, WaitingReaders
from .upstream import Away, Upstream

KEPT_HEADERS = ("etag", "last-modified", "content-encoding", "cache-control", "content-range", "accept-ranges")
OF_AMAZON = "x-amz-"
# A part of an object has a range of its own.
OF_AN_OBJECT = ("etag", "last-modified", "content-encoding", "cache-control", f"{OF_AMAZON}version-id")


class Relay(ThreadingHTTPServer):
    """The server, and what its handlers share."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, upstream: Upstream, sizes: Sizes, memory: int, kinds: Kinds, changed: Callable[[], None], bucket: str
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.secret = f"/{secrets.token_urlsafe(32)}"
        self.endpoint = f"http://{self.host}{self.secret}"
        # What each question begins with.
        self.begins = f"{self.secret}/{bucket}".encode()
        self.upstream, self.sizes, self.changed = upstream, sizes, changed
        self.budget = Budget(sizes.memory)
        self.readers = WaitingReaders(sizes.memory // 6)
        self.listings = Listings(upstream, memory)
        self.header_cache = HeaderCache(upstream, memory, sizes.first, kinds)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away: that is how readers jump."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of the mount tool."""

    protocol_version = "HTTP/1.1"
    server: Relay

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_words: object) -> None:
        """The mount tool says what went wrong."""

    def parse_request(self) -> bool:
        """Take a question of the own mount, and leave the secret out of it."""
        if not super().parse_request():
            return False
        asked, begins = self.path.encode("latin-1"), self.server.begins
        size = len(begins)
        if (
            not secrets.compare_digest(asked[:size], begins)
            or asked[size : size + 1] not in (b"", b"/", b"?")
            or self.headers.get_all("Host") != [self.server.host]
            or self.command not in ("GET", "HEAD")
        ):
            self.send_error(404)
            return False
        self.path = self.path[len(self.server.secret) :]
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Tell nothing to whoever does not know how to ask."""
        self.close_connection = True
        self._answer(404, b"")

    def end_headers(self) -> None:
        """Whatever a bucket says that its objects are, to a browser they are nothing that runs."""
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        try:
            if not key and "list-type=2" in parts.query:
                listed = self.server.listings.ask(canonical(self.path))
                self._answer(listed.status, listed.body)
            elif key and not parts.query.replace("x-id=GetObject", ""):
                self._object(bucket, unquote(key))
            else:
                self._pass_on("GET")
        except Away:
            self._answer(503, b"<Error><Code>ServiceUnavailable</Code></Error>")

    def do_HEAD(self) -> None:
        """Answer what the listing has told already.

        rclone asks for each object that was stored in parts, as all large ones are, in case a checksum was kept with
        it. The tag and the date that it knows already tell as well whether the object is still the same.
        """
        parts = urlsplit(self.path)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        known = self.server.listings.known(bucket, unquote(key))
        if known.modified and not parts.query:
            self.send_response_only(200)
            if known.tag:
                self.send_header("ETag", known.tag)
            self.send_header("Last-Modified", known.modified)
            self.send_header("Content-Length", str(known.size))
            self.end_headers()
            return
        try:
            self._pass_on("HEAD")
        except Away:
            self._answer(503, b"")

    def _pass_on(self, method: str) -> None:
        answer = self.server.upstream.request(self.path, {}, method)
        body = answer.response.read()
        self.server.upstream.finish(answer)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name in KEPT_HEADERS or name.startswith(OF_AMAZON):
                self.send_header(name, value)
        self.send_header(
            "Content-Length", answer.headers.get("content-length", "0") if method == "HEAD" else str(len(body))
        )
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _object(self, bucket: str, key: str) -> None:
        byte_range = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        if not byte_range:
            self._pass_on("GET")
            return
        start = int(byte_range.group(1))
        end = int(byte_range.group(2)) + 1 if byte_range.group(2) else sys.maxsize
        reader = self._reader(bucket, key, start)
        kept = False
        try:
            reader.wait_head()
            if not self.server.listings.known(bucket, key).tag:
                self.server.listings.note(bucket, key, Known(reader.etag, reader.total))
            end = min(end, reader.total)
            self._send_head(reader, start, end)
            for piece in reader.pieces(end):
                # Before the last byte is sent: its client asks on as soon as it has it.
                if reader.position == end < reader.total:
                    self.server.readers.put(reader)
                    kept = True
                self.connection.sendall(piece)
        except Refused as refused:
            if refused.status == 412:
                self.server.changed()
            self._give_up(refused.status)
        except Away:
            self._give_up(503)
        except OSError:
            self.close_connection = True
        finally:
            if not kept:
                reader.close()

    def _reader(self, bucket: str, key: str, start: int) -> Reader:
        """Return what goes on where another question ended, or begin anew."""
        server, path = self.server, urlsplit(self.path).path
        known = server.listings.known(bucket, key)
        waiting = server.readers.take(path, known.tag, start)
        if waiting:
            return waiting
        reader = Reader(
            server.upstream, path, start, known.tag, known.size, server.sizes, server.budget, server.header_cache
        )
        if start == 0:
            server.header_cache.opened(path, known.tag, known.size)
        return reader

    _sent_head = False

    def _give_up(self, status: int) -> None:
        """Say why, or, when the body has begun, break it off: a body that is too short is an error to everybody."""
        if self._sent_head:
            self.close_connection = True
        else:
            self._answer(
                status,
                b"<Error><Code>%s</Code></Error>"
                % {404: b"NoSuchKey", 412: b"PreconditionFailed"}.get(status, b"ServiceUnavailable"),
            )

    def _send_head(self, reader: Reader, start: int, end: int) -> None:
        ranged = "Range" in self.headers
        self.send_response_only(206 if ranged else 200)
        for name, value in reader.headers.items():
            if name in OF_AN_OBJECT or name.startswith(f"{OF_AMAZON}meta-"):
                self.send_header(name, value)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{reader.total}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(max(0, end - start)))
        self.end_headers()
        self._sent_head = True

    def handle_one_request(self) -> None:
        self._sent_head = False
        super().handle_one_request()


__all__ = ["Relay"]
