# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parser of an instance's probe answer; an answer of another shape is refused as a whole."""

from __future__ import annotations

import re
import typing as t

from .._common.names import (
    BadAnswer,
    absolute_path,
    mapping,
    moment,
    sequence,
    strict_json,
    text,
    truth,
    unless_none,
    whole_number,
)
from .._dask.scheduler import parse_counts
from .._lab.instance_answer import plain_text

MAX_BYTES = 2 * 2**20
KEYS = ("watch", "uptime", "mounts", "containers", "images", "server", "dask")
LABELS = "desi.lab."
_ID = re.compile(r"sha256:[0-9a-f]{1,64}")
_MOST = 200
_LONGEST = 1000


def parse(data: bytes) -> dict[str, t.Any]:
    """Return the parsed answer. Raises BadAnswer."""
    answer = mapping(strict_json(data, MAX_BYTES), KEYS)
    return {
        "watch": unless_none(answer["watch"], _watch),
        "uptime": unless_none(answer["uptime"], moment),
        "mounts": {absolute_path(path): unless_none(alive, truth) for path, alive in mapping(answer["mounts"]).items()},
        "containers": [_container(each) for each in sequence(answer["containers"], _MOST)],
        "images": {text(name): image_id(found) for name, found in mapping(answer["images"]).items()},
        "server": truth(answer["server"]),
        "dask": _counts(answer["dask"]),
    }


def image_id(value: object) -> str:
    found = text(value, 100)
    if not _ID.fullmatch(found):
        raise BadAnswer("a part of it is not the id of an image")
    return found


def _counts(value: object) -> dict[str, int] | None:
    """Return a scheduler's counts; none of an invalid answer, which notebooks can cause."""
    if not isinstance(value, str):
        raise BadAnswer("a part of it is not a text")
    try:
        return parse_counts(value.encode())._asdict()
    except (BadAnswer, ValueError):
        return None


def _watch(value: object) -> dict[str, t.Any]:
    # A watcher of another version may report more.
    answer = mapping(value, most=100)
    stop = answer.get("last_stop")
    return {
        **{name: unless_none(answer.get(name), moment) for name in ("idle_since", "idle_stop_at", "deadline")},
        "active": [_said(each) for each in sequence(answer.get("active", []))[:_MOST]],
        "last_stop": None if stop is None else {"at": moment(mapping(stop).get("at")), "why": _said(stop.get("why"))},
    }


def _said(value: object) -> str:
    """Return a sentence of a watcher. Notebooks choose what parts of it are called, and must not hide the others."""
    if not isinstance(value, str):
        raise BadAnswer("a part of it is not a text")
    return plain_text(value, _LONGEST)


def _container(value: object) -> dict[str, t.Any]:
    """Return the facts of a container: our own labels, of which mount and folder are plain paths."""
    answer = mapping(value, ("Image", "State", "Config", "HostConfig"))
    config, state = mapping(answer["Config"], ("Labels", "Image")), mapping(answer["State"] or {})
    labels = {
        name: text(said, 20_000)
        for name, said in mapping(config["Labels"] or {}).items()
        if text(name, 500).startswith(LABELS)
    }
    for name in ("desi.lab.mount", "desi.lab.folder"):
        if labels.get(name):
            absolute_path(labels[name])
    return {
        "Image": unless_none(answer["Image"], image_id),
        "State": {
            "Running": truth(state.get("Running", False)),
            **{name: text(state.get(name, "")) for name in ("Status", "StartedAt", "FinishedAt")},
        },
        "Config": {"Labels": labels, "Image": unless_none(config["Image"], text)},
        "HostConfig": {"PortBindings": _bindings(mapping(answer["HostConfig"], ("PortBindings",))["PortBindings"])},
    }


def _bindings(value: object) -> dict[str, list[dict[str, str]]]:
    found = mapping(value or {}, most=_MOST)
    return {text(name): [_binding(place) for place in sequence(places or [], _MOST)] for name, places in found.items()}


def _binding(value: object) -> dict[str, str]:
    place = mapping(value, ("HostIp", "HostPort"))
    port = text(place["HostPort"], 5)
    if port and not (port.isascii() and port.isdigit()):
        raise BadAnswer("a part of it is not a port")
    whole_number(int(port or 0), 0, 65_535)
    return {"HostIp": text(place["HostIp"], 100), "HostPort": port}
