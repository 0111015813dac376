# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The labs on an engine, as their containers' labels tell. There is no other record of them."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.desi.lab.plugins.module_utils._lab.instance_answer import port_number

NAME = "desi.lab.name"
ROLE = "desi.lab.role"
MOUNT = "desi.lab.mount"


def published(container: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """Return ``address`` and ``port`` at which a container's server is published, from ``docker inspect``.

    They are read from what was asked for, so that they hold for a stopped container, too. Port 0 means not published,
    or that there is no container.
    """
    bindings = ((container or {}).get("HostConfig") or {}).get("PortBindings") or {}
    for place in (place for places in bindings.values() for place in places or []):
        # Docker leaves the port empty, or 0, where it was to choose one itself.
        port = port_number(place.get("HostPort"))
        if port:
            return {"address": place.get("HostIp") or "0.0.0.0", "port": port}  # noqa: S104 (read, not bound)
    return {"address": "", "port": 0}


# The first word of the page that a server opens with, after its base URL.
PAGES = ("lab", "tree", "notebooks", "doc", "retro", "voila")


def server_api(url: str, question: str) -> str:
    """Return the address at which the server whose page is at ``url`` answers a question, such as ``api/status``."""
    parts = urlsplit(url)
    segments = parts.path.strip("/").split("/")
    page = next((place for place, word in enumerate(segments) if word in PAGES), len(segments))
    path = "/".join([*filter(None, segments[:page]), question])
    return urlunsplit((parts.scheme, parts.netloc, f"/{path}", "", ""))


def labels_of(container: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the labels of an inspected container."""
    return dict((container.get("Config") or {}).get("Labels") or {})


def lab_row(
    container: t.Mapping[str, t.Any],
    mount_answers: bool | None,
    server_answers: bool | None,
    images: t.Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    """Return what ``status`` says of a lab, from its server's container.

    ``mount_answers`` and ``server_answers`` are None where there is nothing to ask. ``images`` are the ids of the
    images that are there, by name.
    """
    labels = labels_of(container)
    state = container.get("State") or {}
    place = published(container)
    return {
        "name": labels.get(NAME, ""),
        "where": "this computer",
        "state": "running" if state.get("Running") else str(state.get("Status", "unknown")),
        "since": state.get("StartedAt" if state.get("Running") else "FinishedAt", ""),
        "release": labels.get("desi.lab.release", ""),
        "image": labels.get("desi.lab.image", ""),
        "image_newer": image_newer(container, images or {}),
        "data": labels.get("desi.lab.text", ""),
        "mount": labels.get(MOUNT, ""),
        "mount_answers": mount_answers,
        "folder": labels.get("desi.lab.folder", ""),
        "address": place["address"],
        "port": place["port"],
        "server_answers": server_answers,
    }


def image_newer(container: t.Mapping[str, t.Any], images: t.Mapping[str, str]) -> bool | None:
    """Return whether the name of a container's image leads to another image by now; None where that is not known.

    No registry is asked: that is slow, and is for whoever wants a newer one.
    """
    # A container is made by the id of its image; the name that was asked for is on its label.
    made_of = str((container.get("Config") or {}).get("Image") or "")
    name = labels_of(container).get("desi.lab.image", "") if made_of.startswith("sha256:") else made_of
    found = images.get(name) or images.get(f"{name}:latest")
    runs = container.get("Image")
    return None if not found or not runs else found != runs


def mount_users(containers: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """Return the mount folders that labs are bound to, each with the names of these labs."""
    users: dict[str, list[str]] = {}
    for labels in map(labels_of, containers):
        if labels.get(MOUNT):
            users.setdefault(labels[MOUNT], []).append(labels.get(NAME, ""))
    return users
