# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bucket on loopback that does what a test tells it: to be slow, to refuse, to have another time."""

from __future__ import annotations

import datetime
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape


class Behavior:
    """What the bucket does."""

    def __init__(self) -> None:
        self.objects = {"edr/large & 1.fits": 6 * 2**20, "edr/small.txt": 12}
        self.status = 200
        self.error = ""
        # So many listings are refused first.
        self.busy = 0
        self.read_status = 206
        self.ahead = 0.0
        self.date: str | None = None
        self.delay = 0.0
        # Bytes of an object after which nothing more comes.
        self.stalls_at: int | None = None
        self.released = threading.Event()
        self.asked: list[tuple[str, str]] = []


def handler(behavior):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def date_time_string(self, timestamp=None):
            if behavior.date is not None:
                return behavior.date
            now = datetime.datetime.fromtimestamp(time.time() - behavior.ahead, datetime.timezone.utc)
            return format_datetime(now, usegmt=True)

        def do_GET(self):
            behavior.asked.append((self.path, self.headers.get("Range", "")))
            if behavior.delay:
                behavior.released.wait(behavior.delay)
            if "list-type=2" in self.path and behavior.busy > 0:
                behavior.busy -= 1
                self.answer(503, b"<Error><Code>SlowDown</Code></Error>", "application/xml")
            elif "list-type=2" in self.path:
                self.answer(behavior.status, self.listing(), "application/xml")
            else:
                self.answer(behavior.read_status, bytes(4 * 2**20), "binary/octet-stream")

        def listing(self):
            if behavior.error:
                return f"<Error><Code>{behavior.error}</Code></Error>".encode()
            rows = "".join(
                f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size></Contents>"
                for key, size in behavior.objects.items()
            )
            return f"<ListBucketResult>{rows}</ListBucketResult>".encode()

        def answer(self, status, body, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if kind.startswith("binary") and behavior.stalls_at is not None:
                self.wfile.write(body[: behavior.stalls_at])
                behavior.released.wait(30)
                return
            self.wfile.write(body)

        def log_message(self, *_):
            pass

        def handle(self):
            # Whoever asked may have gone.
            with suppress(OSError):
                super().handle()

    return Handler


@contextmanager
def bucket(certificate=None):
    """Serve a bucket, by TLS if there is a certificate (with its key) for that; give its URL and its behavior."""
    behavior = Behavior()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(behavior))
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}", behavior
    finally:
        behavior.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(path):
    """Write a certificate for this computer that signs itself, and its key."""
    new = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=127.0.0.1"
    new += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*new.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path
