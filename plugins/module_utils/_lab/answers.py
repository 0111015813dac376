# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse an engine's answers about labs, each of a checked shape."""

from __future__ import annotations

import typing as t

from .._common.names import BadAnswer, mapping, sequence
from .labels import NAME, ROLE, is_put_back, labels_of

MOST_CONTAINERS = 500
MOST_CHANGES = 1_000_000
MOST_TEXT = 4096
MOST_LABEL = 1 << 16

Tree = t.Dict[str, t.Any]  # noqa: UP006 - evaluated by Python 3.9, too


def _text(value: object) -> str:
    """Return a text of bounded length; none is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise BadAnswer("a part of it is not a text of a sensible length")
    return value


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _part(value: object) -> Tree:
    return {} if value is None else mapping(value)


def parse_ids(answer: object) -> list[str]:
    """Return the ids in a list of containers."""
    ids = [_text(mapping(each).get("Id")) for each in sequence(answer, MOST_CONTAINERS)]
    if not all(number.isalnum() and number.isascii() for number in ids):
        raise BadAnswer("the id of a container is none")
    return ids


def parse_container(raw: object) -> Tree:
    """Return the fields of an inspected container that labs need, without its environment, which may hold secrets."""
    found = mapping(raw)
    state, config, host = _part(found.get("State")), _part(found.get("Config")), _part(found.get("HostConfig"))
    bindings = {
        port: [{key: _text(place.get(key)) for key in ("HostIp", "HostPort")} for place in map(mapping, places or [])]
        for port, places in _part(host.get("PortBindings")).items()
        if places is None or isinstance(places, list)
    }
    return {
        "Id": _text(found.get("Id")),
        "Name": _text(found.get("Name")),
        "Image": _text(found.get("Image")),
        "State": {
            "Running": state.get("Running") is True,
            **{key: _text(state.get(key)) for key in ("Status", "StartedAt", "FinishedAt")},
        },
        "Config": {
            "Image": _text(config.get("Image")),
            "User": _text(config.get("User")),
            # Others are the image's own, and may be anything.
            "Labels": {
                key: word
                for key, word in _part(config.get("Labels")).items()
                if key.startswith("desi.lab.") and isinstance(word, str) and len(word) <= MOST_LABEL
            },
        },
        "HostConfig": {
            "PortBindings": bindings,
            **{key: [_text(name) for name in sequence(host.get(key) or [])] for key in ("CapAdd", "CapDrop")},
            **{key: _number(host.get(key)) for key in ("Memory", "NanoCpus", "PidsLimit")},
        },
        "NetworkSettings": {
            "Networks": {name: {} for name in _part(_part(found.get("NetworkSettings")).get("Networks"))}
        },
    }


def parse_networks(answer: object) -> list[dict[str, str]]:
    """Return the networks of labs, with the lab that each belongs to."""
    rows = [mapping(each) for each in sequence(answer)]
    return [{"name": _text(row.get("Name")), "lab": _text(_part(row.get("Labels")).get(NAME))} for row in rows]


def parse_images(answer: object) -> dict[str, str]:
    """Return image ids by reference."""
    rows = [mapping(each) for each in sequence(answer)]
    return {_text(tag): _text(row.get("Id")) for row in rows for tag in sequence(row.get("RepoTags") or [])}


def parse_changes(answer: object) -> list[Tree]:
    """Return the paths that were changed in a container, each with its kind."""
    rows = [mapping(each) for each in sequence(answer, MOST_CHANGES)]
    return [{"Path": _text(row.get("Path")), "Kind": _number(row.get("Kind"))} for row in rows]


def servers(containers: t.Iterable[Tree]) -> list[Tree]:
    """Return the containers of labs' servers, by the names of the labs.

    One that was being replaced is still its lab's where no other has taken its place: it has what was installed in it.
    """
    found = {_name(each): each for each in containers if labels_of(each).get(ROLE) == "server"}
    named = {f"desi-lab-{labels_of(each).get(NAME)}": each for each in found.values() if is_put_back(each)}
    named.update({name: each for name, each in found.items() if name == f"desi-lab-{labels_of(each).get(NAME)}"})
    return [each for _name, each in sorted(named.items())]


def is_of_lab(container: Tree) -> bool:
    """Return whether a container is named as those of its lab are: its labels go with every image made of it.

    A server has one of two names. With any other one it is what somebody has made or kept of it.
    """
    labels, name = labels_of(container), _name(container)
    lab = labels.get(NAME, "")
    own = f"desi-lab-{lab}"
    if labels.get(ROLE) == "server":
        return name == own or is_put_back(container)
    return name in (own, f"desi-lab-mount-lab-{lab}") or name.startswith(f"{own}-")


def _name(container: Tree) -> str:
    return str(container.get("Name")).lstrip("/")
