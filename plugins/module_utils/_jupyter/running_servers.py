# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query a container for its running Jupyter servers, and parse the token that a container was given."""

from __future__ import annotations

import re
import shlex
import typing as t
from string import Template
from urllib.parse import quote

from .._common.errors import LabError
from .._common.names import BadAnswer, mapping, strict_json, text, truth, whole_number
from .._docker.api import Api
from .._docker.cli import Container, Docker
from .._lab.url import Url
from .server_log import Server

QUERY_SECONDS = 20.0
QUERY_BYTES = 1 << 16
_MOST = 16
_PATH = re.compile(r"/[A-Za-z0-9._~@+/%-]{0,512}")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[?::1\]?")
_OPTION = re.compile(r"--\w+\.token(?:=(?P<value>.*))?", re.DOTALL)

# The files that servers keep of themselves, wherever a process of the container has its home, the newest first. The
# command is slower, and may not be in the path; it is for what the files do not show. A line is a JSON object or list.
_SCRIPT = r"""
exec 2>/dev/null
found=$(
  for each in /proc/[0-9]*/environ; do tr '\000' '\n' <"$each"; echo; done | sed -n \
    -e 's|^JUPYTER_RUNTIME_DIR=\(/.*\)|\1|p' -e 's|^JUPYTER_DATA_DIR=\(/.*\)|\1/runtime|p' \
    -e 's|^XDG_DATA_HOME=\(/.*\)|\1/jupyter/runtime|p' -e 's|^XDG_RUNTIME_DIR=\(/.*\)|\1/jupyter|p' \
    -e 's|^HOME=\(/.*\)|\1/.local/share/jupyter/runtime|p' | sort -u | head -n 64 | while read -r folder; do
      ls -d "$folder"/jpserver-*.json "$folder"/nbserver-*.json; done | tr '\n' '\000' | xargs -0 -r ls -t |
    head -n 16 | while read -r file; do
      number=${file##*-}
      [ -d "/proc/${number%.json}" ] && head -c 4096 "$file" | tr -d '\n' && echo; done
)
if [ -z "$found" ]; then
  PATH=$PATH:/opt/conda/bin:/usr/local/bin:/opt/venv/bin
  found=$(jupyter server list --json || jupyter notebook list --json)
  [ -n "$found" ] || found=$(jupyter notebook list --json)
fi
printf '%s\n' "$found"
"""
QUERY = ("sh", "-c", _SCRIPT)


class RunningServer(t.NamedTuple):
    """A server as it describes itself."""

    host: str
    port: int
    path: str
    token: str
    secure: bool
    password: bool
    sock: str


def query_servers(docker: Docker | Api, container: Container) -> list[RunningServer]:
    """Return the running servers in a container, the newest first; none of one that gives no valid answer."""
    try:
        answer = docker.output_in_container(container.id, QUERY, QUERY_BYTES, QUERY_SECONDS)
    except LabError:
        return []
    return parse_servers(answer)


def parse_servers(answer: bytes) -> list[RunningServer]:
    """Return the valid descriptions in an answer; a container may be in other hands."""
    found: list[RunningServer] = []
    for line in answer.split(b"\n"):
        try:
            document = strict_json(line, QUERY_BYTES)
        except BadAnswer:
            continue
        for each in document[:_MOST] if isinstance(document, list) else [document]:
            try:
                found.append(_parse(each))
            except BadAnswer:
                continue
    return found[:_MOST]


def _parse(value: object) -> RunningServer:
    raw = mapping(value, most=64)
    path = text(raw.get("base_url", "/"), 1000)
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise BadAnswer("its path is none of a server")
    token = raw.get("token", "")
    # White space around it is told below, by as_server.
    if not text(token.strip() if isinstance(token, str) else token, 512).isascii() or len(token) > 512:
        raise BadAnswer("its token has letters that no token has")
    sock = text(raw.get("sock", ""), 4096)
    return RunningServer(
        host=text(raw.get("hostname", ""), 255),
        port=whole_number(raw.get("port", 0), 0 if sock else 1, 65535),
        path=path,
        token=token,
        secure=truth(raw.get("secure", False)),
        password=truth(raw.get("password", False)),
        sock=sock,
    )


def choose(servers: t.Sequence[RunningServer], ports: t.Collection[int]) -> RunningServer | None:
    """Return the newest server at a published port, else the newest one."""
    return next((each for each in servers if each.port in ports), servers[0] if servers else None)


def as_server(found: RunningServer, container: Container) -> Server:
    """Return the server in the form that its log gives."""
    token = quote(usable(found.token, container), safe="")
    url = Url("https" if found.secure else "http", ("127.0.0.1",), found.port or 1, found.path, token)
    off = not token and not found.password
    return Server("", token, True, [url], off, _doubt([found.port], found.host, container, found.sock))


def usable(token: str, container: Container) -> str:
    """Return a token that a server accepts. One with white space around it fits nothing that can be sent."""
    if token == token.strip():
        return token
    where = "ends with a line break" if token.endswith(("\r", "\n")) else "begins or ends with a space"
    raise LabError(
        f"The server in the container {container.name} lets nobody in.",
        f"Its token {where}, which Jupyter drops from whatever is typed or sent: no token is ever right.",
        "Give the image a token without it: the file of JUPYTER_TOKEN_FILE is written by printf %s TOKEN > FILE",
    )


def doubt_of(server: Server, container: Container) -> LabError | None:
    """Return why nothing outside its container may reach a server, by the URLs that it printed."""
    return _doubt([url.port for url in server.urls], "", container)


def _doubt(ports: t.Sequence[int], host: str, container: Container, sock: str = "") -> LabError | None:
    what = f"The server in the container {container.name} cannot be reached."
    if sock:
        return LabError(
            what,
            "It listens on a Unix socket in the container, and on no port.",
            "Give an image whose server is started without --ServerApp.sock, and with --ip=0.0.0.0.",
        )
    if container.ports and not set(ports) & set(container.ports):
        return LabError(
            what,
            f"It listens on port {ports[-1]} of the container, and the lab expects it on port {container.ports[0]}.",
            f"Run the same command with -e lab_container_port={ports[-1]}",
        )
    if _LOOPBACK.fullmatch(host):
        return LabError(
            what,
            "It listens on the container's own address 127.0.0.1 only, which nothing outside the container reaches.",
            "Give an image whose server is started with --ip=0.0.0.0 (or c.ServerApp.ip = '0.0.0.0').",
        )
    return None


def token_given(container: Container) -> str:
    """Return the token that a container was given by its command or its environment, empty if none is known.

    A word of the command may be a shell's script. What only that shell could work out is not known.
    """
    options = [value for value in _options(container.command, container.env) if value is not None]
    return options[-1] if options else container.env.get("JUPYTER_TOKEN", "")


def _options(words: t.Sequence[str], env: t.Mapping[str, str]) -> list[str | None]:
    found: list[str | None] = []
    for number, word in enumerate(words):
        match = _OPTION.fullmatch(word)
        if match and match["value"] is not None:
            found.append(_unquoted(match["value"]))
        elif match and number + 1 < len(words):
            found.append(_unquoted(words[number + 1]))
        elif number and re.fullmatch(r"-\w*c", words[number - 1]):
            found += _in_script(word, env)
    return found


def _in_script(script: str, env: t.Mapping[str, str]) -> list[str | None]:
    try:
        words = shlex.split(script)
    except ValueError:
        return []
    options = _options(words, env)
    known = [Template(value).safe_substitute(env) if value else value for value in options]
    return [None if value and re.search(r"[$`;&|]", value) else value for value in known]


def _unquoted(value: str) -> str:
    """Return the value as Jupyter takes it, which drops quotes around it."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
