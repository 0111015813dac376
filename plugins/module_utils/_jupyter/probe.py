# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query a Jupyter server with its token, once its identity is proven."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import ssl
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from .._common.errors import LabError
from .._docker.port_owner import Proof, proven_connection
from .._lab.labels import server_api

PAUSE = 0.5
# Of one attempt. Small instances are slow.
TRY_SECONDS = 10.0
MOST_BYTES = 65536
MOST_LISTED = 8 << 20
_TOKEN = re.compile(r"(?:^|&)token=([^&#]*)")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# ssl.VERIFY_X509_PARTIAL_CHAIN of Python 3.10: trusts a certificate that is not self-signed, too.
_PARTIAL_CHAIN = 0x80000


class ServerInfo(NamedTuple):
    """Facts of a server that accepted the token."""

    fingerprint: str
    version: str


class NoAnswer(Exception):
    """The server did not answer yet."""


@dataclass(frozen=True)
class Target:
    """A server, the token for it, and how its identity is verified."""

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

    def path(self, api: str) -> str:
        return urlsplit(server_api(self.api, api)).path


def prepare(url: str, certificate: str = "", address: str = "", ca: str = "") -> Target:
    """Return the target for the URL of a server's page; no error repeats its token."""
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
    target = Target(server_api(url, ""), token, host, port, address)
    if parts.scheme == "http":
        if certificate or ca:
            raise LabError(
                f"The server at {target.place} cannot be proven to be the right one.",
                "Its URL begins with http, and without TLS a server shows no certificate.",
                "Give a URL that begins with https, or no certificate.",
            )
        return target
    if certificate:
        pinned = read_certificate(certificate)
        return replace(target, context=context_of_one(pinned), pinned=pinned)
    return replace(target, context=usual_context(ca))


def _unfit(why: str) -> LabError:
    return LabError("The server cannot be asked.", why, "Give the whole URL, as ./lab url prints it.")


def query_until(target: Target, timeout: float) -> ServerInfo:
    """Query the server until it answers; other errors are raised at once."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            return ask(target, max(0.5, min(TRY_SECONDS, left)))
        except NoAnswer as error:
            if time.monotonic() + PAUSE >= deadline:
                raise LabError(
                    f"The server at {target.place} did not answer within {timeout:g} seconds.",
                    f"The last time {error}.",
                    "Run the same command again. If it stays so, ./lab status tells whether the lab runs.",
                ) from None
        time.sleep(PAUSE)


def ask(target: Target, seconds: float) -> ServerInfo:
    connection = _Connection(target, seconds)
    try:
        connection.connect()
        if target.token:
            _get(connection, target, "api/status", {"Authorization": f"token {target.token}"})
        about = _get(connection, target, "api", {})
    except ssl.SSLCertVerificationError as error:
        raise _not_trusted(target, error) from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(_failure(error)) from None
    finally:
        connection.close()
    version = about.get("version")
    if not isinstance(version, str):
        raise _not_jupyter(target)
    return ServerInfo(fingerprint(connection.certificate) if connection.certificate else "", version)


class _Connection(http.client.HTTPConnection):
    """A direct connection to an address, though the URL may name another host."""

    def __init__(self, target: Target, seconds: float) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        # So that the Host header omits it, as in a URL.
        self.default_port = 443 if target.context else 80
        self.target = target
        self.certificate = b""

    def connect(self) -> None:
        """Connect or reconnect; the listener is verified each time."""
        at = (self.target.address or self.host, self.port)
        self.sock = proven_connection(at, self.timeout, self.target.proof)
        if self.target.context:
            self.sock = self.target.context.wrap_socket(self.sock, server_hostname=self.host)
            self.certificate = self.sock.getpeercert(binary_form=True) or b""
            if self.target.pinned and self.certificate != self.target.pinned:
                # Signed by the pinned one.
                raise _another_certificate(self.target, "It showed another one")


def read(target: Target, what: str, seconds: float) -> Any:  # noqa: ANN401 - JSON
    """Return one answer of the server's API, None for HTTP 404."""
    connection = _Connection(target, seconds)
    headers = {"Authorization": f"token {target.token}"} if target.token else {}
    try:
        connection.connect()
        connection.request("GET", target.path(what), headers={"Accept": "application/json", **headers})
        response = connection.getresponse()
        if response.status == 404:
            return None
        if response.status != 200:
            raise NoAnswer(f"it answered {response.status}")
        body = response.read(MOST_LISTED + 1)
        if len(body) > MOST_LISTED:
            raise NoAnswer("it answered without an end")
        return json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NoAnswer(_failure(error)) from None
    finally:
        connection.close()


def _get(connection: _Connection, target: Target, what: str, headers: dict[str, str]) -> dict[str, Any]:
    connection.request("GET", target.path(what), headers={"Accept": "application/json", **headers})
    response = connection.getresponse()
    body = response.read(MOST_BYTES)
    if response.status in (401, 403):
        raise LabError(
            f"The server at {target.place} refuses the token.",
            "It runs, but it was started with another token, or wants a password." if headers else "It wants a token.",
            "./lab url prints the URL with the token that the lab has now.",
        )
    if 300 <= response.status < 400:
        raise LabError(
            f"The server at {target.place} is not the lab.",
            f"It sends whoever asks on to {_where(response.getheader('Location', ''))}. The token goes nowhere else.",
            "Give the URL of the lab itself. If another program answers there, choose another port: -e lab_port=…",
        )
    if response.status >= 500:
        raise NoAnswer(f"it answered with the error {response.status}")
    try:
        found = json.loads(body) if response.status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _not_jupyter(target)
    return found


def _where(location: str) -> str:
    """Return a redirect's target without its path, which may hold secrets."""
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


def _not_trusted(target: Target, error: ssl.SSLCertVerificationError) -> LabError:
    if target.pinned:
        said = error.verify_message
        late = "expired" in said or "not yet valid" in said
        return _another_certificate(target, f"TLS says: {said}" if late else "It showed another one")
    return LabError(
        f"The server at {target.place} is not proven to be {target.host}.",
        f"Its certificate is not accepted: {error.verify_message}. The token was not sent.",
        f"See that the certificate is for {target.host}, in time, and whole with those between it and its authority.",
    )


def _another_certificate(target: Target, why: str) -> LabError:
    return LabError(
        f"The server at {target.place} is not the lab.",
        f"The lab has a certificate of its own, and this server did not prove that it has it. {why}. The token was not"
        " sent.",
        "Run the same command again, so that the lab gets its certificate. If it stays so, somebody is in between: try"
        " another network.",
    )


def _not_jupyter(target: Target) -> LabError:
    return LabError(
        f"The server at {target.place} is not the lab.",
        "What it answers is not what a Jupyter server answers.",
        "Another program listens there. Choose another port: -e lab_port=…",
    )


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 fingerprint of a certificate as browsers show it."""
    digest = hashlib.sha256(certificate).hexdigest().upper()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def read_certificate(path: str) -> bytes:
    try:
        found = _PEM.search(Path(path).read_text(errors="replace"))
        if not found:
            raise ValueError
        certificate = ssl.PEM_cert_to_DER_cert(found[0])
        context_of_one(certificate)
    except (OSError, ValueError) as error:
        unread = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
        raise LabError(
            f"The certificate {path} cannot be used.",
            f"The file cannot be read ({error.strerror})." if unread else "There is no certificate in the file.",
            "Run the command that made it again.",
        ) from None
    return certificate


def context_of_one(certificate: bytes) -> ssl.SSLContext:
    """Trust one certificate alone, for any host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= _PARTIAL_CHAIN
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(certificate))
    return context


def usual_context(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ValueError):
        raise LabError(
            f"The certificate authorities in {ca} cannot be used.",
            "The file cannot be read, or there is no certificate in it.",
            "Give a file of certificates in PEM form, or none to trust whom this computer trusts.",
        ) from None
