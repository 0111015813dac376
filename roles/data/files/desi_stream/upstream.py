# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the S3 server: over connections that are kept warm, patiently, and for the most urgent first."""

from __future__ import annotations

import base64
import heapq
import http.client
import itertools
import os
import select
import ssl
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

# What is waited for goes before what may be wanted soon.
DEMANDED, AHEAD, GUESSED = 0, 1, 2

CONNECT_TIMEOUT = 5.0
SILENCE_TIMEOUT = 10.0
# Long enough for a server that says "slow down", short enough for a person who waits.
PATIENCE = 20.0
PAUSES = (0.1, 0.3, 1.0, 2.0, 4.0)
# Below this, to read a body to its end is cheaper than to open a connection anew.
DRAINED = 1 << 20


def entity_tag(text: str) -> str:
    """Return a tag as RFC 9110 (8.8.3) has it: some servers leave its quotes out."""
    weak, opaque = ("W/", text.strip()[2:]) if text.strip()[:2] in ("W/", "w/") else ("", text.strip())
    opaque = opaque[1:-1] if len(opaque) > 1 and opaque[0] == opaque[-1] == '"' else opaque
    return f'{weak}"{opaque}"' if opaque and '"' not in opaque else ""


def same_version(tag: str, other: str) -> bool:
    """Tell whether two tags match by RFC 9110's weak comparison, or one of them is not known."""
    return not tag or not other or tag.removeprefix("W/") == other.removeprefix("W/")


def credentials(proxy: SplitResult) -> dict[str, str]:
    """Return the header by which a proxy knows its user; none for a proxy without a user."""
    if not (proxy.username or proxy.password):
        return {}
    pair = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class Away(Exception):
    """The server was not reached, or said nothing that can be used."""


@dataclass
class Answer:
    """A status, headers by lower-case name, and the response that the body is still to be read from."""

    status: int
    headers: Mapping[str, str]
    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection


class Upstream:
    """The S3 server."""

    def __init__(self, endpoint: str, connections: int) -> None:
        parts = urlsplit(endpoint)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._secure else 80)
        self.base = parts.path.rstrip("/")
        self._proxy = None
        if not urllib.request.proxy_bypass(parts.netloc):
            proxy = urllib.request.getproxies().get(parts.scheme)
            self._proxy = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
        # A proxy is asked for a plain address itself: many connect to port 443 alone.
        self._plain: dict[str, str] = {}
        if self._proxy and not self._secure:
            self.base = f"http://{parts.netloc}{self.base}"
            self._plain = credentials(self._proxy)
        self._context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._jobs: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._queued = threading.Semaphore(0)
        self._warming = threading.Semaphore(connections)
        for _ in range(connections):
            threading.Thread(target=self._work, daemon=True).start()

    # Work that others wait for

    def submit(self, urgency: int, job: Callable[[], None]) -> None:
        """Have a job done as soon as a thread is free; jobs of the same urgency in their order."""
        with self._lock:
            heapq.heappush(self._jobs, (urgency, next(self._order), job))
        self._queued.release()

    def _work(self) -> None:
        while True:
            self._queued.acquire()
            with self._lock:
                job = heapq.heappop(self._jobs)[2]
            try:
                job()
            except Exception:
                # One that fails is one that nobody waits for, and the next needs the thread.
                traceback.print_exc()

    # Connections

    def _connect(self) -> http.client.HTTPConnection:
        made = self._through(self._proxy) if self._proxy else self._directly()
        made.connect()
        made.sock.settimeout(SILENCE_TIMEOUT)
        return made

    def _directly(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_TIMEOUT, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_TIMEOUT)

    def _through(self, proxy: SplitResult) -> http.client.HTTPConnection:
        host, port = proxy.hostname or "", proxy.port or 80
        if not self._secure:
            return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        made = http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=self._context)
        made.set_tunnel(self._host, self._port, credentials(proxy))
        return made

    def warm(self, count: int) -> None:
        """Have so many connections ready, without waiting for them."""
        with self._lock:
            missing = count - len(self._idle)
        for _ in range(missing):
            self.submit(GUESSED, self._warm_one)

    def _warm_one(self) -> None:
        try:
            self._give_back(self._connect())
        except (OSError, http.client.HTTPException):
            return

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        while True:
            with self._lock:
                kept = self._idle.pop()[1] if self._idle else None
            if kept is None:
                return self._connect(), False
            # What the server has closed in the meantime can be read from: its end.
            closed = select.poll()
            closed.register(kept.sock, select.POLLIN)
            if not closed.poll(0):
                return kept, True
            kept.close()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._idle.append((time.monotonic(), connection))

    # Questions

    def request(self, path: str, headers: Mapping[str, str], method: str = "GET", patience: float = PATIENCE) -> Answer:
        """Ask; again where the server is busy or the network was away, but not for ever. The body is yet to be read."""
        deadline = time.monotonic() + patience
        for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
            answer, problem = None, "busy"
            try:
                answer = self._request_once(path, headers, method)
                if answer.status < 500 and answer.status != 429:
                    return answer
            except (OSError, http.client.HTTPException) as error:
                problem = str(error)
            if time.monotonic() + pause > deadline:
                if answer:
                    return answer
                raise Away(problem)
            if answer:
                self.finish(answer)
            time.sleep(pause)
        raise AssertionError

    def _request_once(self, path: str, headers: Mapping[str, str], method: str) -> Answer:
        while True:
            connection, used = self._take()
            try:
                connection.request(method, self.base + path, headers={**headers, **self._plain})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException):
                connection.close()
                # The server may close a connection in the very moment in which it is used again.
                if used:
                    continue
                raise
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response, connection)

    def finish(self, answer: Answer) -> None:
        """Let go of an answer: keep its connection if little of the body is left, else close it."""
        try:
            left = answer.response.length
            if left is not None and left <= DRAINED:
                answer.response.read()
            keep = answer.response.isclosed() and not answer.response.will_close
        except (OSError, http.client.HTTPException):
            keep = False
        if keep:
            self._give_back(answer.connection)
        else:
            answer.connection.close()

    def whole(
        self, path: str, headers: Mapping[str, str], patience: float = PATIENCE
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Ask, and read all of the body; a body that breaks off is asked for again."""
        for attempt in range(3):
            answer = self.request(path, headers, patience=patience)
            try:
                body = answer.response.read()
            except (OSError, http.client.HTTPException) as error:
                answer.connection.close()
                if attempt == 2:
                    raise Away(str(error)) from error
                continue
            self.finish(answer)
            return answer.status, answer.headers, body
        raise AssertionError
