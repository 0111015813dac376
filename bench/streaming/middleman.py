# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands before the S3 server and spoils its answers when it is told to."""

from __future__ import annotations

import random
import threading
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


class Middleman(ThreadingHTTPServer):
    """Passes requests on. A fault is a status to answer with, or the word truncated.

    With ``once``, as tests want it, listings are spared and one body is truncated, else every other one.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: int, once: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target, self.port, self.once = target, self.server_address[1], once
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.fault: int | str | None = None
        self.asked: list[tuple[str, str, str]] = []  # path, Range and If-Match
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shutdown()
        super().__exit__(kind, error, at)


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Middleman

    def log_message(self, *_words: object) -> None:
        """Say nothing."""

    def _refuse(self, status: int) -> None:
        body = b"<Error><Code>SlowDown</Code></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("If-Match", "")))
        fault = None if self.server.once and "list-type" in self.path else self.server.fault
        if isinstance(fault, int):
            self._refuse(fault)
            return
        connection = HTTPConnection("127.0.0.1", self.server.target, timeout=30)
        try:
            kept = {name: self.headers[name] for name in ("Range", "If-Match") if name in self.headers}
            connection.request("GET", self.path, headers=kept)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException):
            self._refuse(502)
            return
        finally:
            connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "truncated" and len(body) > 1000 and (self.server.once or random.random() < 0.5):
            self.server.fault = None if self.server.once else fault
            self.wfile.write(body[: len(body) // 3])
            self.close_connection = True
        else:
            self.wfile.write(body)
