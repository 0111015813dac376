# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a Jupyter server with its token, once it is proven whom the token goes to."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.port_owner import Proof, proven_connection
from ansible_collections.desi.lab.plugins.module_utils._jupyter.server_proof import (
    context_of_one,
    fingerprint,
    read_certificate,
    usual_context,
)
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import server_api

PAUSE = 0.5
# A server on a small machine takes its time, and a connection that hangs is better made anew.
TRY_SECONDS = 10.0
MOST_BYTES = 65536
MOST_LISTED = 8 << 20
_TOKEN = re.compile(r"(?:^|&)token=([^&#]*)")


class Answer(NamedTuple):
    """What a server that took the token tells of itself."""

    fingerprint: str
    version: str


class NotYet(Exception):
    """The server did not answer, which it may still do."""


@dataclass(frozen=True)
class Question:
    """Whom to ask, with what token, and how to know him."""

    api: str
    token: str
    host: str
    port: int
    address: str
    context: ssl.SSLContext | None = None
    pinned: bytes = b""
    proof: Proof | None = None

    @property
    def place(self) -> str:
        at = self.address or self.host
        return f"[{at}]:{self.port}" if ":" in at else f"{at}:{self.port}"

    def path(self, question: str) -> str:
        return urlsplit(server_api(self.api, question)).path


def prepare(url: str, certificate: str = "", address: str = "", ca: str = "") -> Question:
    """Return the question that belongs to the URL of a server's page; its token is not repeated in any message."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
        host.encode("idna")
    except (KeyError, ValueError):
        host, port = "", 0
    if not host or not re.fullmatch(r"[!-~]*", f"{parts.path}{parts.query}"):
        raise _unfit("What was given is not the URL of a server, such as https://203.0.113.7/lab?token=…")
    found = _TOKEN.search(parts.query)
    token = unquote_plus(found[1]) if found else ""
    if not re.fullmatch(r"[ -~]*", token):
        raise _unfit("The token in its URL has letters that no token has.")
    question = Question(server_api(url, ""), token, host, port, address)
    if parts.scheme == "http":
        if certificate or ca:
            raise LabError(
                f"The server at {question.place} cannot be proven to be the right one.",
                "Its URL begins with http, and without TLS a server shows no certificate.",
                "Give a URL that begins with https, or no certificate.",
            )
        return question
    if certificate:
        pinned = read_certificate(certificate)
        return replace(question, context=context_of_one(pinned), pinned=pinned)
    return replace(question, context=usual_context(ca))


def _unfit(why: str) -> LabError:
    return LabError("The server cannot be asked.", why, "Give the whole URL, as ./lab url prints it.")


def ask_until(question: Question, timeout: float) -> Answer:
    """Ask until the server answers; what more time does not cure is told at once."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            return ask(question, max(0.5, min(TRY_SECONDS, left)))
        except NotYet as error:
            if time.monotonic() + PAUSE >= deadline:
                raise LabError(
                    f"The server at {question.place} did not answer within {timeout:g} seconds.",
                    f"The last time {error}.",
                    "Run the same command again. If it stays so, ./lab status tells whether the lab runs.",
                ) from None
        time.sleep(PAUSE)


def ask(question: Question, seconds: float) -> Answer:
    """Ask once."""
    connection = _Connection(question, seconds)
    try:
        connection.connect()
        if question.token:
            _get(connection, question, "api/status", {"Authorization": f"token {question.token}"})
        about = _get(connection, question, "api", {})
    except ssl.SSLCertVerificationError as error:
        raise _not_trusted(question, error) from None
    except (OSError, http.client.HTTPException) as error:
        raise NotYet(_failure(error)) from None
    finally:
        connection.close()
    version = about.get("version")
    if not isinstance(version, str):
        raise _not_jupyter(question)
    return Answer(fingerprint(connection.certificate) if connection.certificate else "", version)


class _Connection(http.client.HTTPConnection):
    """A connection to an address, though the URL may name another host. No proxy comes in between."""

    def __init__(self, question: Question, seconds: float) -> None:
        super().__init__(question.host, question.port, timeout=seconds)
        # Host and port stand in the request as in a URL, where the usual port is left out.
        self.default_port = 443 if question.context else 80
        self.question = question
        self.certificate = b""

    def connect(self) -> None:
        """Connect, for the first question or because the server ended the connection, and have it proven each time."""
        at = (self.question.address or self.host, self.port)
        self.sock = proven_connection(at, self.timeout, self.question.proof)
        if self.question.context:
            self.sock = self.question.context.wrap_socket(self.sock, server_hostname=self.host)
            self.certificate = self.sock.getpeercert(binary_form=True) or b""
            if self.question.pinned and self.certificate != self.question.pinned:
                # It was signed with the pinned one, which not even its holder has a reason to do.
                raise _another_certificate(self.question, "It showed another one")


def read(question: Question, what: str, seconds: float) -> Any:  # noqa: ANN401 - JSON
    """Return what the server answers to one question with its token; None where it knows nothing of the kind."""
    connection = _Connection(question, seconds)
    headers = {"Authorization": f"token {question.token}"} if question.token else {}
    try:
        connection.connect()
        connection.request("GET", question.path(what), headers={"Accept": "application/json", **headers})
        response = connection.getresponse()
        if response.status == 404:
            return None
        if response.status != 200:
            raise NotYet(f"it answered {response.status}")
        body = response.read(MOST_LISTED + 1)
        if len(body) > MOST_LISTED:
            raise NotYet("it answered without an end")
        return json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotYet(_failure(error)) from None
    finally:
        connection.close()


def _get(connection: _Connection, question: Question, what: str, headers: dict[str, str]) -> dict[str, Any]:
    connection.request("GET", question.path(what), headers={"Accept": "application/json", **headers})
    response = connection.getresponse()
    body = response.read(MOST_BYTES)
    if response.status in (401, 403):
        raise LabError(
            f"The server at {question.place} refuses the token.",
            "It runs, but it was started with another token, or wants a password." if headers else "It wants a token.",
            "./lab url prints the URL with the token that the lab has now.",
        )
    if 300 <= response.status < 400:
        raise LabError(
            f"The server at {question.place} is not the lab.",
            f"It sends whoever asks on to {_where(response.getheader('Location', ''))}. The token goes nowhere else.",
            "Give the URL of the lab itself. If another program answers there, choose another port: -e lab_port=…",
        )
    if response.status >= 500:
        raise NotYet(f"it answered with the error {response.status}")
    try:
        found = json.loads(body) if response.status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _not_jupyter(question)
    return found


def _where(location: str) -> str:
    """Return what may be told of where a redirect leads: not its path, which may hold what was asked."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "another place"
    return f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else "another page"


def _failure(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return "nothing came back in time"
    if isinstance(error, socket.gaierror):
        return "its name could not be looked up"
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "what answered there spoke no TLS"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listened there"
    if isinstance(error, (ConnectionError, ssl.SSLError, http.client.HTTPException)):
        return "the connection was closed without an answer"
    return f"the system said: {getattr(error, 'strerror', None) or type(error).__name__}"


def _not_trusted(question: Question, error: ssl.SSLCertVerificationError) -> LabError:
    if question.pinned:
        said = error.verify_message
        late = "expired" in said or "not yet valid" in said
        return _another_certificate(question, f"TLS says: {said}" if late else "It showed another one")
    return LabError(
        f"The server at {question.place} is not proven to be {question.host}.",
        f"Its certificate is not accepted: {error.verify_message}. The token was not sent.",
        f"See that the certificate is for {question.host}, in time, and whole with those between it and its authority.",
    )


def _another_certificate(question: Question, why: str) -> LabError:
    return LabError(
        f"The server at {question.place} is not the lab.",
        f"The lab has a certificate of its own, and this server did not prove that it has it. {why}. The token was not"
        " sent.",
        "Run the same command again, so that the lab gets its certificate. If it stays so, somebody is in between: try"
        " another network.",
    )


def _not_jupyter(question: Question) -> LabError:
    return LabError(
        f"The server at {question.place} is not the lab.",
        "What it answers is not what a Jupyter server answers.",
        "Another program listens there. Choose another port: -e lab_port=…",
    )
