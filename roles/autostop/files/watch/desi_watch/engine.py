# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers of labs, as Docker's own socket tells."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, NamedTuple
from urllib.parse import quote

SOCKET = "/run/docker.sock"
LABEL = "desi.lab.role=server"
SCHEDULER = "desi.lab.role=scheduler"
PATIENCE = 10.0


class Lab(NamedTuple):
    """A lab's container that runs: its name, its first process, the user's folder, and its server's port inside."""

    name: str
    pid: int
    directory: str
    port: int


class Line(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def query(path: str, question: str) -> Any:  # noqa: ANN401 - as JSON has it
    """Return what the engine answers."""
    line = Line(path)
    try:
        line.request("GET", question)
        answer = line.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"Docker answered {answer.status}")
        return json.loads(body)
    finally:
        line.close()


def labs(path: str = SOCKET) -> list[Lab]:
    """Return the labs whose containers run. Raises OSError or ValueError where that cannot be known."""
    filters = quote(json.dumps({"label": [LABEL]}))
    listed = query(path, f"/containers/json?filters={filters}")
    return [lab_of(query(path, f"/containers/{each['Id']}/json")) for each in listed]


def schedulers(path: str = SOCKET) -> list[int]:
    """Return the first processes of the containers of Dask schedulers that run. Raises as labs does."""
    filters = quote(json.dumps({"label": [SCHEDULER]}))
    listed = query(path, f"/containers/json?filters={filters}")
    return [int(query(path, f"/containers/{each['Id']}/json")["State"]["Pid"]) for each in listed]


def lab_of(container: dict[str, Any]) -> Lab:
    labels = container["Config"]["Labels"]
    bound = container["HostConfig"].get("PortBindings") or {}
    ports = [int(each.partition("/")[0]) for each in bound]
    return Lab(labels["desi.lab.name"], int(container["State"]["Pid"]), labels["desi.lab.folder"], (ports or [8888])[0])
