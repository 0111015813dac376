# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query the engine by its HTTP API, at a Unix socket or at a TCP port of this computer.

Answers are bounded in size and in time, and parsed strictly.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from .._common.names import BadAnswer, mapping, shown, strict_json
from .cli import Container, EngineUnavailable, NotListening, checked_name, described

DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"
DENIED = "This account may not use the engine: it is not in group docker."
MOST_BYTES = 16 << 20
_READ_SIZE = 1 << 16
_DO = "see whether 'docker info' answers in a terminal; if it does not, restart Docker"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Endpoint:
    """The address of the engine that the docker command would use.

    ``environment`` leads every client there; ``problem`` is why no lab can use it.
    """

    host: str
    environment: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def direct(self) -> bool:
        """Whether it is queried without the docker command, which alone does TLS."""
        return not self.problem and not {"DOCKER_TLS", "DOCKER_TLS_VERIFY"} & set(self.environment)


def is_address_here(name: str) -> bool:
    """Return whether a host's name or address is one of this computer."""
    if name in _LOOPBACK:
        return True
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as probe:
            probe.bind((found[0][4][0], 0))
    except (OSError, UnicodeError):
        return False
    return True


def endpoint_of(
    environment: t.Mapping[str, str], home: str, is_here: t.Callable[[str], bool] = is_address_here
) -> Endpoint:
    """Return the endpoint that the docker command would use, by DOCKER_HOST or its context."""
    folder = Path(environment.get("DOCKER_CONFIG") or f"{home}/.docker")
    host, tls = environment.get("DOCKER_HOST", ""), {}
    if host:
        host = host if "://" in host else f"tcp://{host}"
        tls = {name: "1" for name in ("DOCKER_TLS", "DOCKER_TLS_VERIFY") if environment.get(name)}
        certificates = environment.get("DOCKER_CERT_PATH") or str(folder)
    else:
        context = environment.get("DOCKER_CONTEXT") or _text_in(folder / "config.json", "currentContext")
        if context in ("", "default"):
            return Endpoint(DEFAULT_ENDPOINT, {"DOCKER_HOST": DEFAULT_ENDPOINT})
        number = hashlib.sha256(context.encode()).hexdigest()
        about = _in(folder / "contexts/meta" / number / "meta.json", "Endpoints", "docker")
        address = about.get("Host") if isinstance(about, dict) else None
        if not isinstance(address, str) or not address:
            place = "The variable DOCKER_CONTEXT" if environment.get("DOCKER_CONTEXT") else str(folder / "config.json")
            return Endpoint(f"context {shown(context)}", {}, f"{place} names it, and there is no such context.")
        host, certificates = address, str(folder / "contexts/tls" / number / "docker")
        if host.startswith("tcp://") and Path(certificates).is_dir():
            tls = {"DOCKER_TLS" if about.get("SkipTLSVerify") is True else "DOCKER_TLS_VERIFY": "1"}
    if host.startswith("unix:///"):
        return Endpoint(host, {"DOCKER_HOST": host})
    try:
        parts = urlsplit(host)
        name, _port = parts.hostname or "", parts.port
    except ValueError:
        name, parts = "", urlsplit("")
    if parts.scheme == "tcp" and is_here(name):
        keys = {"DOCKER_CERT_PATH": certificates} if tls else {}
        if "DOCKER_TLS_VERIFY" in tls and (environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE")):
            # Docker's library believes these before the engine's own authority.
            keys["REQUESTS_CA_BUNDLE"] = f"{certificates}/ca.pem"
        return Endpoint(host, {"DOCKER_HOST": host, **tls, **keys})
    if parts.scheme in ("tcp", "ssh") and name:
        return Endpoint(host, {}, "It is on another computer, where the lab's folder, data and port would be.")
    return Endpoint(host, {}, "It is at no socket and no TCP port of this computer.")


def _in(path: Path, *keys: str) -> t.Any:  # noqa: ANN401 - checked by whoever asked
    """Return what is in a JSON file, None if there is no such thing."""
    try:
        with path.open("rb") as file:
            found = strict_json(file.read(_READ_SIZE), _READ_SIZE)
        for key in keys:
            found = mapping(found).get(key)
    except (OSError, BadAnswer):
        return None
    return found


def _text_in(path: Path, key: str) -> str:
    found = _in(path, key)
    return found if isinstance(found, str) else ""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Frames:
    """Strips the headers of eight bytes that tell standard output and standard error apart."""

    def __init__(self) -> None:
        self._head, self._left = b"", 0

    def strip(self, data: bytes) -> bytes:
        """Return the next bytes without headers."""
        found = []
        while data:
            if self._left:
                found.append(data[: self._left])
                data, self._left = data[self._left :], self._left - len(found[-1])
            else:
                missing = 8 - len(self._head)
                self._head, data = self._head + data[:missing], data[missing:]
                if len(self._head) == 8:
                    self._left, self._head = int.from_bytes(self._head[4:], "big"), b""
        return b"".join(found)


class ApiLog:
    """The output of a container, standard output and standard error in order."""

    def __init__(self, response: http.client.HTTPResponse, connection: socket.socket, framed: bool) -> None:
        self._response, self._socket = response, connection
        self._frames = _Frames() if framed else None

    def read(self, timeout: float) -> bytes | None:
        """Return the bytes at hand: b"" at the end of the log, None after timeout seconds."""
        deadline = time.monotonic() + timeout
        while True:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._response.read1(_READ_SIZE)
            except socket.timeout:
                return None
            except (OSError, http.client.HTTPException):
                return b""
            found = self._frames.strip(data) if self._frames else data
            if found or not data:
                return found

    def exit_code(self) -> int:
        """Return 0, or 1 if the engine refused to show the log."""
        return 0 if self._response.status == 200 else 1


def _place(name: str) -> str:
    return f"/containers/{quote(checked_name(name))}"


class Api:
    """The API of the engine at an endpoint."""

    def __init__(self, endpoint: str, seconds: float) -> None:
        self.endpoint, self.seconds = endpoint, seconds

    def get(self, path: str, limit: int = MOST_BYTES, **query: object) -> t.Any:  # noqa: ANN401 - checked by whoever asked
        """Return an answer, None for HTTP 404."""
        with self._response(path, query) as (response, connection):
            return self._document(response, connection, limit, (200,))

    def _document(
        self, response: http.client.HTTPResponse, connection: socket.socket, limit: int, statuses: t.Container[int]
    ) -> t.Any:  # noqa: ANN401 - checked by whoever asked
        body = self._body(response, connection, limit)
        if response.status == 404:
            return None
        try:
            found = strict_json(body, limit)
            if response.status not in statuses:
                raise self._strange(f"It says: {shown(str(mapping(found).get('message')))}")
        except BadAnswer as error:
            raise self._strange(f"Its answer cannot be used: {error}.") from error
        return found

    def _body(self, response: http.client.HTTPResponse, connection: socket.socket, limit: int) -> bytes:
        """Return the bytes of an answer, with at most one read beyond the limit."""
        deadline = time.monotonic() + self.seconds
        pieces: list[bytes] = []
        try:
            while sum(map(len, pieces)) <= limit:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise socket.timeout
                connection.settimeout(left)
                pieces.append(response.read1(_READ_SIZE))
                if not pieces[-1]:
                    break
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        return b"".join(pieces)

    def run_in_container(self, name: str, argv: t.Sequence[str]) -> int:
        """Run a command in a running container as its own user, and return its exit code; -1 if the engine refuses."""
        number, _output = self._run_in_container(name, argv, MOST_BYTES)
        ended = self.get(f"/exec/{number}/json") if number else None
        code = ended.get("ExitCode") if isinstance(ended, dict) else None
        return code if isinstance(code, int) else -1

    def output_in_container(self, name: str, argv: t.Sequence[str], limit: int, seconds: float) -> bytes:
        """Return what a command in a running container printed within a limit and a time."""
        return Api(self.endpoint, seconds)._run_in_container(name, argv, limit)[1]

    def _run_in_container(self, name: str, argv: t.Sequence[str], limit: int) -> tuple[str, bytes]:
        """Return the id of the command, empty if the engine refuses, and what it printed."""
        path, tried = f"{_place(name)}/exec", {"Cmd": list(argv), "AttachStdout": True}
        with self._response(path, {}, tried) as (response, connection):
            made = self._document(response, connection, MOST_BYTES, (201,))
        number = made.get("Id") if isinstance(made, dict) else None
        if not isinstance(number, str) or not number.isalnum():
            return "", b""
        with self._response(f"/exec/{number}/start", {}, {"Detach": False, "Tty": False}) as (response, connection):
            body = self._body(response, connection, limit)
        return number, _Frames().strip(body)[:limit]

    def find(self, kind: str, name: str) -> t.Any:  # noqa: ANN401 - checked by whoever asked
        """Return the container or the network of that name, None if there is none."""
        return self.get(f"{_place(name)}/json" if kind == "container" else f"/networks/{quote(checked_name(name))}")

    def names(self, beginning: str) -> list[str]:
        """Return the names of all containers that begin like this, whoever made them."""
        found = self.get("/containers/json", all=1, filters={"name": [f"^/?{beginning}"]})
        if not isinstance(found, list):
            raise self._strange("Its list of containers is none.")
        names = [each.get("Names") for each in found if isinstance(each, dict)]
        return [str(name).lstrip("/") for some in names if isinstance(some, list) for name in some]

    def changes(self, name: str) -> t.Any:  # noqa: ANN401 - checked by whoever asked
        """Return what was changed in the file system of a container, as rows of ``Path`` and ``Kind``."""
        return self.get(f"{_place(name)}/changes") or []

    def archive(self, name: str, path: str, limit: int) -> bytes:
        """Return a path in a container as a tar archive, cut at a limit; nothing if the path is not there."""
        with self._response(f"{_place(name)}/archive", {"path": path}) as (response, connection):
            return self._body(response, connection, limit) if response.status == 200 else b""

    def commands(self, container: t.Mapping[str, t.Any]) -> list[str]:
        """Return the commands that run in an inspected container beside its own."""
        found = [self.get(f"/exec/{checked_name(str(number))}/json") for number in container.get("ExecIDs") or ()]
        try:
            configs = [mapping(each["ProcessConfig"]) for each in found if each and each["Running"]]
            return [" ".join([each["entrypoint"], *(each["arguments"] or ())]) for each in configs]
        except (BadAnswer, LookupError, TypeError) as error:
            raise self._strange("What it says of a command cannot be used.") from error

    def inspect_container(self, name: str) -> Container | None:
        """Return the container of that name or id, None if there is none."""
        return described(name, self.find("container", name))

    @contextmanager
    def logs(self, name: str, *, since: str = "", tail: int = 0, follow: bool = False) -> t.Iterator[ApiLog]:
        """Stream a container's log; the connection is closed on leaving."""
        container = self.inspect_container(name)
        query = {"stdout": 1, "stderr": 1, "follow": int(follow), "tail": tail or "all"}
        if since:
            query["since"] = f"{datetime.fromisoformat(since.replace('Z', '+00:00')).timestamp():.6f}"
        with self._response(f"{_place(name)}/logs", query) as (response, connection):
            framed = response.status == 200 and not (container and container.tty)
            yield ApiLog(response, connection, framed)

    @contextmanager
    def _response(
        self, path: str, query: t.Mapping[str, object], document: t.Mapping[str, object] | None = None
    ) -> t.Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        parts = urlsplit(self.endpoint)
        connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            connection = _SocketConnection(parts.path, self.seconds)
        else:
            connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 2375, timeout=self.seconds)
        try:
            try:
                connection.connect()
            except PermissionError as error:
                raise EngineUnavailable("Docker may not be used by this user.", DENIED, _DO) from error
            except socket.timeout as error:
                raise self._silent(error) from error
            except OSError as error:
                raise NotListening("Docker does not answer.", "The engine is not running.", _DO) from error
            # With an answer that ends the connection, http.client forgets it.
            sock = connection.sock
            try:
                words = {key: word if isinstance(word, str) else json.dumps(word) for key, word in query.items()}
                target = f"{path}?{urlencode(words)}" if words else path
                if document is None:
                    connection.request("GET", target)
                else:
                    connection.request("POST", target, json.dumps(document), {"Content-Type": "application/json"})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise self._silent(error) from error
            try:
                yield response, sock
            finally:
                response.close()
        finally:
            connection.close()

    def _silent(self, error: Exception) -> EngineUnavailable:
        if isinstance(error, socket.timeout):
            return self._strange(f"It accepts connections and gave no answer within {self.seconds:g} seconds.")
        return self._strange("It closed the connection without an answer of Docker Engine.")

    def _strange(self, why: str) -> EngineUnavailable:
        return EngineUnavailable("Docker does not answer.", f"Something listens at {self.endpoint}. {why}", _DO)
