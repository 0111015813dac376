# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server on this computer that answers as a test says."""

import contextlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def web_server(answer, certificate=None, host="127.0.0.1", version="HTTP/1.0"):
    """Serve what `answer` returns for a request: status, body and headers. Yield the URL, by TLS with a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def respond(self):
            status, body, headers = answer(self)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            # Whoever asked may have gone.
            with contextlib.suppress(OSError):
                self.wfile.write(b"" if self.command == "HEAD" else body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_CONNECT = respond

        def log_message(self, *_words):
            pass

    with ThreadingHTTPServer((host, 0), Handler) as server:
        server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http{'s' if certificate else ''}://{host}:{server.server_port}"
        finally:
            server.shutdown()
