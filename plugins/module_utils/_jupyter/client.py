# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Jupyter server seen from outside, through the API that its own pages use."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
import urllib3
import websocket
from requests.adapters import HTTPAdapter

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.port_owner import Proof, proven_connection

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# For one answer of the server; a cell may take as long as it likes.
PATIENCE = 60
TRIES = 5


class Pinned(HTTPAdapter):
    """Believes one certificate alone, whatever the address: that of a machine changes, and no name is that of a lab."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # as in requests
        super().init_poolmanager(*arguments, assert_hostname=False, **options)


class Proven(HTTPAdapter):
    """Connects only where it is proven who listens, each time that a connection is made."""

    def __init__(self, proof: Proof) -> None:
        class Connection(urllib3.connection.HTTPConnection):
            def _new_conn(self) -> socket.socket:
                timeout = self.timeout if isinstance(self.timeout, (int, float)) else PATIENCE
                return proven_connection((self.host, self.port), timeout, proof)

        class Pool(urllib3.HTTPConnectionPool):
            ConnectionCls = Connection

        self._pool = Pool
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # as in requests
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": self._pool}


class Server:
    """A Jupyter server at the URL that it prints, token included; with a certificate, no other one is believed.

    With a proof, the token goes only where it is proven who listens.
    """

    def __init__(self, url: str, certificate: str = "", proof: Proof | None = None) -> None:
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        for page in ("/lab", "/tree"):
            path = path.removesuffix(page)
        self._base = f"{parts.scheme}://{parts.netloc}{path}"
        self._token = parse_qs(parts.query).get("token", [""])[0]
        # What is on this computer is not asked for through a proxy.
        self._is_here = parts.hostname in LOOPBACK
        self._certificate = certificate
        self._proof = proof if parts.scheme == "http" else None
        self._at = (parts.hostname or "", parts.port or 80)
        self._session = requests.Session()
        self._session.trust_env = not self._is_here
        if certificate:
            self._session.mount("https://", Pinned())
        if self._proof:
            self._session.mount("http://", Proven(self._proof))
        self._session.headers["Authorization"] = f"token {self._token}"

    def ask(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401  # JSON
        """Ask the API for something; return None where there is nothing of that name."""
        try:
            answer = self._session.request(
                method,
                f"{self._base}/api/{quote(path, safe='/?=&')}",
                json=data,
                timeout=PATIENCE,
                # A redirect would take the token along.
                allow_redirects=False,
                # Said of a session, it would give way to REQUESTS_CA_BUNDLE.
                verify=self._certificate or None,
            )
        except requests.RequestException as error:
            raise self.lost(type(error).__name__) from None
        if answer.status_code == 404:
            return None
        if answer.status_code in (401, 403):
            raise LabError(
                "The lab does not let this program in.",
                "Its token is another one, so the URL is of an older lab.",
                "Read the URL anew with ./lab url.",
            )
        if not answer.ok or answer.is_redirect:
            raise self.lost(f"it answered {answer.status_code} {answer.reason}")
        return answer.json() if answer.content else {}

    @contextlib.contextmanager
    def kernel(self, name: str, path: str) -> Iterator[Kernel]:
        """Run a kernel as for the notebook at a path of the server, and end it."""
        made = self.ask("POST", "kernels", {"name": name, "path": path})
        channel = None
        try:
            channel = self._connect(made["id"])
            yield Kernel(channel)
        except (OSError, websocket.WebSocketException) as error:
            raise self.lost(str(error) or type(error).__name__) from None
        finally:
            if channel is not None:
                channel.close()
            self._end(made["id"])

    def _end(self, kernel: str) -> None:
        """End a kernel. One that just died is being started again, and the server cannot end it before that is done."""
        for _ in range(TRIES):
            with contextlib.suppress(LabError):
                self.ask("DELETE", f"kernels/{kernel}")
                return
            time.sleep(1)

    def _connect(self, kernel: str) -> websocket.WebSocket:
        channel = websocket.create_connection(
            f"{self._base.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels",
            header=[f"Authorization: token {self._token}"],
            sslopt={"ca_certs": self._certificate, "check_hostname": False} if self._certificate else {},
            http_no_proxy=["*"] if self._is_here else None,
            timeout=PATIENCE,
            redirect_limit=0,
            **({"socket": proven_connection(self._at, PATIENCE, self._proof)} if self._proof else {}),
        )
        # What is no switch of protocols is a redirect, which is not followed, and no channel either.
        if channel.getstatus() != 101:
            channel.close()
            raise self.lost(f"it answered {channel.getstatus()}")
        return channel

    def lost(self, why: str) -> LabError:
        """Return the failure of a server that does not answer as it should."""
        return LabError(
            "The lab stopped answering.",
            f"{self._base} is not reached as it was ({why}).",
            "See whether it runs with ./lab status, then run the same command again.",
        )


class Kernel:
    """A kernel, and the channel to it."""

    def __init__(self, channel: websocket.WebSocket) -> None:
        self._channel = channel
        self._session = uuid.uuid4().hex

    def execute(self, code: str, stop_on_error: bool = True) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Run code; yield what comes of it as kind and content of messages, until the kernel is done with it."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": self._session}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {
            "channel": "shell",
            "header": {**header, "version": "5.3"},
            "parent_header": {},
            "metadata": {},
            "content": {**content, "stop_on_error": stop_on_error, "user_expressions": {}},
        }
        self._channel.send(json.dumps(message))
        missing = {"execute_reply", "idle"}
        while missing:
            answer = self._receive()
            kind, content = answer["msg_type"], answer["content"]
            state = content.get("execution_state") if kind == "status" else None
            if state in ("restarting", "dead"):
                raise LabError(
                    "The kernel died.",
                    "Something ended its process; most often that is the computer, which has no memory left.",
                    "Read fewer columns or rows at once, or use a computer with more memory.",
                )
            if answer["parent_header"].get("msg_id") != number:
                continue
            missing -= {kind, state}
            yield kind, content

    def _receive(self) -> dict[str, Any]:
        """Return the next message. A cell may be silent for long, so silence is met by a sign of life."""
        while True:
            try:
                frame = self._channel.recv()
            except websocket.WebSocketTimeoutException:
                self._channel.ping()
                continue
            if frame:
                return json.loads(text_of_frame(frame))


def text_of_frame(frame: str | bytes) -> str | bytes:
    """Return the JSON of a frame; one with binary parts begins with their number and where each of them starts."""
    if isinstance(frame, str):
        return frame
    (count,) = struct.unpack_from(">I", frame)
    starts = struct.unpack_from(f">{count}I", frame, 4)
    return frame[starts[0] : starts[1]] if count > 1 else frame[starts[0] :]
