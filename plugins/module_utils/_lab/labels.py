# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels of labs' containers, the only record of the labs on an engine."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit, urlunsplit

from .._common.users import name_of
from .instance_answer import port_number

NAME = "desi.lab.name"
ROLE = "desi.lab.role"
MOUNT = "desi.lab.mount"
DIRECTORY = "desi.lab.folder"
SERVER = "desi.lab.server"
"""The id of the server's container that a scheduler or a worker was made for."""
CERTIFICATE = "desi.lab.certificate"
"""The SHA-256 of the certificate that a scheduler or a worker shows."""
BEFORE = "-before"
"""What follows the name of a server's container while another one takes its place."""


def published(container: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """Return ``address`` and ``port`` of a container's published port, also of a stopped one; port 0 for none."""
    bindings = ((container or {}).get("HostConfig") or {}).get("PortBindings") or {}
    for place in (place for places in bindings.values() for place in places or []):
        # Empty or 0 means that Docker chooses one.
        port = port_number(place.get("HostPort"))
        if port:
            return {"address": place.get("HostIp") or "0.0.0.0", "port": port}  # noqa: S104 (read, not bound)
    return {"address": "", "port": 0}


# The first word of a server's page, after its base URL.
PAGES = ("lab", "tree", "notebooks", "doc", "retro", "voila")


def server_api(url: str, question: str) -> str:
    """Return the URL of an API endpoint, such as ``api/status``, of the server whose page is at ``url``."""
    parts = urlsplit(url)
    segments = parts.path.strip("/").split("/")
    page = next((place for place, word in enumerate(segments) if word in PAGES), len(segments))
    path = "/".join([*filter(None, segments[:page]), question])
    return urlunsplit((parts.scheme, parts.netloc, f"/{path}", "", ""))


def labels_of(container: t.Mapping[str, t.Any]) -> dict[str, str]:
    return dict((container.get("Config") or {}).get("Labels") or {})


def digest_in(container: t.Mapping[str, t.Any], label: str) -> str:
    """Return a SHA-256 in a label; empty for anything else."""
    text = labels_of(container).get(label, "")
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else ""


def is_put_back(container: t.Mapping[str, t.Any]) -> bool:
    """Return whether a server's container has the name that it had while it was being replaced.

    What counts as the lab's server with that name is what an interrupted replacement has left, which is still the lab.
    """
    return str(container.get("Name")).lstrip("/") == f"desi-lab-{labels_of(container).get(NAME)}{BEFORE}"


def owner_of(container: t.Mapping[str, t.Any]) -> str:
    """Return the name of the user as whom a container runs; empty if its image says that."""
    return name_of(str((container.get("Config") or {}).get("User") or "").partition(":")[0])


def is_of_another(container: t.Mapping[str, t.Any], uid: int) -> bool:
    """Return whether a lab is known to be another user's than this one's.

    A lab of root runs as the owner of its folder, and one that mounts by itself runs as root, whoever made it.
    """
    return uid != 0 and owner_of(container) not in ("", "root", name_of(str(uid)))


def state_word(state: str) -> str:
    """Return what people call the state of a container or of an instance."""
    return "stopped" if state in ("created", "dead", "exited") else state


def runs(container: t.Mapping[str, t.Any]) -> bool:
    """Return whether a container computes: to Docker, one that is paused runs, too."""
    state = container.get("State") or {}
    return bool(state.get("Running")) and state.get("Status") != "paused"


def lab_row(
    container: t.Mapping[str, t.Any],
    mount_answers: bool | None,
    server_answers: bool | None,
    images: t.Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    """Return the status row of a lab, from its server's container.

    ``mount_answers`` and ``server_answers`` are None if not queried. ``images`` are the ids of local images by name.
    """
    labels = labels_of(container)
    state = container.get("State") or {}
    place = published(container)
    return {
        "name": labels.get(NAME, ""),
        "owner": owner_of(container),
        "where": "this computer",
        "state": "running" if runs(container) else str(state.get("Status", "unknown")),
        "since": state.get("StartedAt" if state.get("Running") else "FinishedAt", ""),
        "release": labels.get("desi.lab.release", ""),
        "image": labels.get("desi.lab.image", ""),
        "image_newer": image_newer(container, images or {}),
        "data": labels.get("desi.lab.text", ""),
        "mount": labels.get(MOUNT, ""),
        "mount_answers": mount_answers,
        "folder": labels.get(DIRECTORY, ""),
        "address": place["address"],
        "port": place["port"],
        "server_answers": server_answers,
        "workers": 0,
        "dask": None,
    }


def image_newer(container: t.Mapping[str, t.Any], images: t.Mapping[str, str]) -> bool | None:
    """Return whether the name of a container's image is another local image by now; None if not known."""
    # Containers are made from image ids; the name is in a label.
    made_of = str((container.get("Config") or {}).get("Image") or "")
    name = labels_of(container).get("desi.lab.image", "") if made_of.startswith("sha256:") else made_of
    found = images.get(name) or images.get(f"{name}:latest")
    runs = container.get("Image")
    return None if not found or not runs else found != runs


def mount_users(containers: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """Return the mount directories that labs use, each with the names of the labs."""
    users: dict[str, list[str]] = {}
    for labels in map(labels_of, containers):
        if labels.get(MOUNT):
            users.setdefault(labels[MOUNT], []).append(labels.get(NAME, ""))
    return users
