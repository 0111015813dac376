# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker Engine at a Unix socket that has the containers, networks and images that a test gives it."""

import contextlib
import http.server
import json
import re
import socketserver
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

TOKEN = "c0ffee" * 8
INFO = {"ServerVersion": "28.2.2", "Architecture": "x86_64", "DockerRootDir": "/var/lib/docker", "MemTotal": 1 << 30}
VERSION = {"ApiVersion": "1.44", "MinAPIVersion": "1.24", "Version": "25.0"}
BANNER = (
    "[I 2026-11-28 10:00:00.000 ServerApp] Jupyter Server 2.17.0 is running at:\n"
    f"[I 2026-11-28 10:00:00.000 ServerApp] http://127.0.0.1:8888/lab?token={TOKEN}\n"
)


def container(lab, number="a1", role="server", running=True, port=0, name="", labels=None, **more):
    """Return a container as the engine describes it."""
    bindings = {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]} if port else {}
    ours = {"desi.lab.name": lab, "desi.lab.role": role, "desi.lab.release": "edr", "desi.lab.folder": "/home/ann"}
    return {
        "Id": number * 32,
        "Name": f"/{name or f'desi-lab-{lab}' + ('' if role == 'server' else f'-{role}')}",
        "Image": "sha256:1",
        "Config": {"Image": "desi-lab:1", "Labels": {**ours, **(labels or {})}, "Env": ["SECRET=1"], "Tty": False},
        "HostConfig": {"PortBindings": bindings},
        "NetworkSettings": {"Ports": bindings, "Networks": {f"desi-lab-{lab}": {}}},
        "State": {
            "Running": running,
            "Status": "running" if running else "exited",
            "StartedAt": "s",
            "FinishedAt": "f",
        },
        **more,
    }


class FakeEngine(socketserver.ThreadingUnixStreamServer):
    """The engine. `answers` are bytes, documents, or functions of the handler, by path, before all else.

    `changes` are all requests that are no questions, `runs` the commands that were run in containers, each of which
    ends with `exit_code`.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder):
        self.containers, self.networks, self.images, self.answers, self.asked = [], [], [], {}, []
        self.volumes, self.changes = [], []
        self.logs, self.runs, self.exit_code = {}, [], 0
        self.socket_path = Path(folder) / "engine.sock"
        super().__init__(str(self.socket_path), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def endpoint(self):
        return f"unix://{self.socket_path}"

    def answer(self, path):
        if path in self.answers:
            return self.answers[path]
        known = {
            "/version": VERSION,
            "/volumes": {"Volumes": self.volumes},
            "/info": INFO,
            "/networks": self.networks,
            "/images/json": self.images,
        }
        if path == "/containers/json":
            return [{"Id": each["Id"], "Names": [each["Name"]]} for each in self.containers]
        if path == "/exec/e1/json":
            return {"ExitCode": self.exit_code}
        for each in self.containers:
            if path in (f"/containers/{each['Id']}/json", f"/containers{each['Name']}/json"):
                return each
            if path == f"/containers/{each['Id']}/logs":
                text = self.logs.get(each["Id"], BANNER).encode()
                return b"\1\0\0\0" + len(text).to_bytes(4, "big") + text
        return known.get(path)


def path_of(target):
    """Return the path of a request, whichever version of the API it names."""
    return re.sub(r"^/v1\.\d+/", "/", urlsplit(target).path)


class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "socket"

    def log_message(self, *_words):
        pass

    def do_GET(self):
        path = path_of(self.path)
        self.server.asked.append(path)
        self.query = parse_qs(urlsplit(self.path).query)
        answer = self.server.answer(path)
        if callable(answer):
            answer(self)
            return
        found = {"message": "page not found"} if answer is None else answer
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(404 if answer is None else 200)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def do_POST(self):
        path = path_of(self.path)
        self.server.asked.append(path)
        self.server.changes.append(f"POST {path}")
        self.asked = asked = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "{}")
        found = self.server.answers.get(path)
        if callable(found):
            found(self)
            return
        if path.endswith("/exec"):
            self.server.runs.append(asked["Cmd"])
            found = {"Id": "e1"}
        self.send_response(201 if found else 200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode() if found else b"")

    def do_DELETE(self):
        path = path_of(self.path)
        self.server.asked.append(path)
        self.server.changes.append(f"DELETE {path}")
        found = self.server.answers.get(f"DELETE {path}")
        if callable(found):
            found(self)
            return
        gone = path.rpartition("/")[2]
        self.server.containers = [each for each in self.server.containers if gone not in (each["Id"], each["Name"][1:])]
        self.send_response(204)
        self.end_headers()


def never(handler):
    """Accept a question and never answer it."""
    while handler.connection.recv(1):
        pass


def drop_by_drop(handler):
    """Answer without an end, a byte at a time."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.01)


@contextlib.contextmanager
def fake_engine():
    """Run one; its folder has a short name, as the path of a socket is bounded."""
    with tempfile.TemporaryDirectory(prefix="desi-engine-") as folder, FakeEngine(folder) as engine:
        try:
            yield engine
        finally:
            engine.shutdown()
