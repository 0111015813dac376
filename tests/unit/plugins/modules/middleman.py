# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands between a mount tool and a real S3 server."""

from __future__ import annotations

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Middleman(ThreadingHTTPServer):
    """Passes questions on to a real S3 server, and does to the answer what a test wants."""

    daemon_threads = True

    def __init__(self, endpoint):
        super().__init__(("127.0.0.1", 0), Passing)
        self.port = int(endpoint.rpartition(":")[2])
        self.fault, self.asked = None, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words):
        """Say nothing."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("If-Match", "")))
        fault = self.server.fault if "list-type" not in self.path else None
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        real = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        kept = {name: self.headers[name] for name in ("Range", "If-Match") if name in self.headers}
        real.request("GET", self.path, headers=kept)
        answer = real.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "truncated":
            self.server.fault = None
            self.wfile.write(body[: len(body) // 3])
            self.close_connection = True
        else:
            self.wfile.write(body)
        real.close()
