# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inspect the engine of a host for labs, and the server of one of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from .._common.errors import LabError
from .._common.names import BadAnswer
from .._common.parallel import side_by_side
from .._common.text import name_option, setting_option
from .._dask.scheduler import ROLE as SCHEDULER_ROLE
from .._dask.scheduler import WORKER_ROLE, Counts, activity_rows
from .._dask.scheduler import ask as ask_scheduler
from .._docker.api import Api
from .._docker.cli import Docker, EngineUnavailable, NotListening
from .._docker.engine import Engine, current_endpoint, engine_api, engine_here, query_engine
from .._docker.port_owner import of_container
from .._lab.answers import (
    Tree,
    is_of_lab,
    parse_changes,
    parse_container,
    parse_ids,
    parse_images,
    parse_networks,
    servers,
)
from .._lab.labels import NAME, ROLE, is_put_back, labels_of, published, runs
from .._lab.probe import LIST_IMAGES, image_ids
from .._lab.shared_directory import SYNCED
from .._lab.url import write_url
from .activity import UNKNOWN, Line, command_rows
from .activity import ask as what_runs
from .loss import REMOVE, REPLACE, STOP, Layer, Loss, layer_of, loss, untouched
from .probe import NoAnswer, Target, ask, prepare
from .wait import wait_for_published

OURS = {"label": [NAME]}
# Of a server that runs, and of a command in its container.
PROBE_SECONDS = 10.0
# For a server that has been started a moment ago.
URL_SECONDS = 2.0
# Directories have their numbers from the kernel, which a virtual machine has of its own.
KERNEL = "/proc/sys/kernel/random/boot_id"
_LOOK = 'ls "$1" > /dev/null && echo listed && cat "$2" && stat -c %d:%i "$3"'
_LOOK_BYTES = 4096
# A server that is published on every address is reached on its host by its own.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


@dataclass(frozen=True)
class Inventory:
    """An engine and what it has of labs; nothing of one that does not answer."""

    engine: Engine
    client: Api | Docker
    containers: list[Tree] = field(default_factory=list)
    networks: list[dict[str, str]] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    reason: str = ""


def take_inventory(seconds: float, with_images: bool) -> Inventory:
    """Query an engine for everything in parallel, in a bounded time."""
    api, endpoint = engine_api(seconds), current_endpoint()
    if endpoint.problem:
        engine = query_engine(seconds)
        return Inventory(engine, Docker(), reason=engine.reason)
    parts: dict[str, t.Callable[[], t.Any]] = {"engine": lambda: query_engine(seconds)}
    results, errors = side_by_side({**parts, **_questions(api, with_images)}, seconds + 1)
    engine = results.get("engine") or engine_here("", _late(seconds), endpoint, listens=True)
    if engine.answers and (api is None or any(isinstance(error, NotListening) for error in errors.values())):
        # An engine that the command alone reaches.
        api = None
        results, errors = side_by_side(_questions(None, with_images), seconds)
    client = api or Docker()
    if not engine.answers:
        return Inventory(engine, client, reason=engine.reason)
    for name in ("containers", "networks"):
        if name not in results:
            return Inventory(engine, client, reason=errors[name].why if name in errors else _late(seconds))
    return Inventory(engine, client, results["containers"], results["networks"], results.get("images", {}))


def _late(seconds: float) -> str:
    return f"The engine gave no answer within {seconds:g} seconds."


def _questions(api: Api | None, with_images: bool) -> dict[str, t.Callable[[], t.Any]]:
    if api is None:
        docker = Docker()
        found: dict[str, t.Callable[[], t.Any]] = {
            "containers": lambda: _containers_by_command(docker),
            "networks": lambda: _networks_by_command(docker),
            "images": lambda: image_ids(docker.run(*LIST_IMAGES).stdout),
        }
    else:
        found = {
            "containers": lambda: _containers(api),
            "networks": lambda: _checked(parse_networks, api.get("/networks", filters=OURS)),
            "images": lambda: _checked(parse_images, api.get("/images/json")),
        }
    if not with_images:
        del found["images"]
    return found


def _checked(parse: t.Callable[[object], t.Any], answer: object) -> t.Any:  # noqa: ANN401 - of the parser
    try:
        return parse(answer)
    except BadAnswer as error:
        raise EngineUnavailable(
            "Docker does not answer.",
            f"What the engine answers is not what Docker Engine says: {error}.",
            "see that 'docker info' answers, and restart Docker if it does not",
        ) from error


def _containers(api: Api) -> list[Tree]:
    ids = _checked(parse_ids, api.get("/containers/json", all=1, filters=OURS))
    parts = {number: (lambda number=number: api.get(f"/containers/{number}/json")) for number in ids}
    answers, errors = side_by_side(parts, api.seconds)
    for number in ids:
        if number not in answers:
            late = EngineUnavailable("Docker does not answer.", _late(api.seconds), "restart Docker")
            raise errors.get(number) or late
    # One that was removed in the meantime is none.
    return _of_labs(answers[number] for number in ids if answers[number] is not None)


def _containers_by_command(docker: Docker) -> list[Tree]:
    ids = docker.output("ps", "--all", "--quiet", "--filter", f"label={NAME}").split()
    # One that was removed in the meantime makes the command fail, and it still tells of the others.
    return _of_labs(json.loads(docker.run("container", "inspect", *ids).stdout or "[]") if ids else [])


def _of_labs(raw: t.Iterable[object]) -> list[Tree]:
    return [each for each in (_checked(parse_container, one) for one in raw) if is_of_lab(each)]


def _networks_by_command(docker: Docker) -> list[dict[str, str]]:
    line = f'{{{{.Name}}}} {{{{.Label "{NAME}"}}}}'
    rows = docker.output("network", "ls", "--filter", f"label={NAME}", "--format", line).splitlines()
    return [dict(zip(("name", "lab"), row.split())) for row in rows]


def server_container(inventory: Inventory, name: str) -> Tree | None:
    """Return the container of a lab's server, None if there is none."""
    return next((each for each in servers(inventory.containers) if labels_of(each).get(NAME) == name), None)


def members(inventory: Inventory, name: str, role: str) -> list[Tree]:
    """Return the scheduler or the workers of a lab. Labels alone may come with anybody's image."""
    named = re.compile(rf"/?desi-lab-{re.escape(name)}-{role}(-[0-9]+)?")
    found = [each for each in inventory.containers if named.fullmatch(each["Name"])]
    return [each for each in found if (labels_of(each).get(NAME), labels_of(each).get(ROLE)) == (name, role)]


def scheduler_counts(inventory: Inventory, name: str) -> Counts | None:
    """Return the counts of a lab's Dask scheduler; None without one that runs and answers."""
    found = [each for each in members(inventory, name, SCHEDULER_ROLE) if each["State"]["Running"]]
    return ask_scheduler(inventory.client, found[0]["Id"]) if found else None


def foreign_members(inventory: Inventory, name: str) -> list[str]:
    """Return the containers named as a lab's scheduler or workers that are not the lab's."""
    ours = {each["Name"].lstrip("/") for each in inventory.containers if labels_of(each).get(NAME) == name}
    named = re.compile(rf"desi-lab-{re.escape(name)}-({SCHEDULER_ROLE}|{WORKER_ROLE}-[0-9]+)")
    return [each for each in inventory.client.names(f"desi-lab-{name}-") if named.fullmatch(each) and each not in ours]


def names_taken(inventory: Inventory, name: str) -> dict[str, t.Any]:
    """Return what has the names of a lab: ``container``, empty if nothing, and ``network``, whose labels it has.

    ``network`` is ``ours``, ``foreign``, or empty if there is none. What has taken the name of a container that is put
    back comes before that.
    """
    client, lab_name = inventory.client, f"desi-lab-{name}"
    mine = server_container(inventory, name)
    parts: dict[str, t.Callable[[], t.Any]] = {"network": lambda: client.find("network", lab_name)}
    if mine is None or is_put_back(mine):
        parts["container"] = lambda: client.find("container", lab_name)
    results, errors = side_by_side(parts, PROBE_SECONDS)
    for error in errors.values():
        raise error
    found, network = results.get("container"), results.get("network")
    ours = any(row == {"name": lab_name, "lab": name} for row in inventory.networks)
    return {
        "container": _checked(parse_container, found) if found else mine or {},
        "network": "ours" if ours else "foreign" if network else "",
    }


def verified_server(inventory: Inventory, name: str, timeout: float) -> dict[str, t.Any]:
    """Return what ``lab_server`` does, with ``accepts_token``, ``sees_data`` and ``sees_folder``.

    The first two are false where that is not known, and the last is true.
    """
    mine, found = server_container(inventory, name), lab_server(inventory, name, timeout)
    answers = {"accepts_token": False, "sees_data": False, "sees_folder": True}
    if mine is None or not found["url"]:
        return {**found, **answers}
    proof = of_container(mine["Id"], inventory.client)
    results, _errors = side_by_side(
        {
            "accepts_token": lambda: {"accepts_token": _accepts(replace(prepare(found["url"]), proof=proof))},
            "sees": lambda: _sees(inventory.client, mine["Id"], labels_of(mine), not inventory.engine.desktop),
        },
        2 * PROBE_SECONDS,
    )
    return {**found, **answers, **results.get("accepts_token", {}), **results.get("sees", {})}


def _sees(
    client: Api | Docker, container: str, labels: t.Mapping[str, str], has_same_disks: bool = True
) -> dict[str, bool]:
    """Return whether a container can list its release, and whether its directory is the one that the lab has.

    A container keeps the directories that it was given at its start, be they empty, dead or replaced by now. Docker
    Desktop has those of its computer by mounts of its own, in WSL with the same kernel.
    """
    release = f"{labels.get('desi.lab.inside', '')}/{labels.get('desi.lab.release', '')}/"
    # One that hangs here is not to be looked at there.
    folder = labels.get("desi.lab.folder", "") if has_same_disks else ""
    results, _errors = side_by_side({"here": lambda: _numbers(folder)}, URL_SECONDS)
    here, look = results.get("here", []), ["sh", "-c", _LOOK, "sh", release, KERNEL, SYNCED]
    with contextlib.suppress(LabError):
        seen = client.output_in_container(container, look, _LOOK_BYTES, PROBE_SECONDS).split() if here else []
        if seen[:1] == [b"listed"]:
            return {"sees_data": True, "sees_folder": len(seen) != 3 or seen[1] != here[0] or seen[2] == here[1]}
    return {"sees_data": client.run_in_container(container, ["ls", release]) == 0}


def _numbers(path: str) -> list[bytes]:
    """Return the kernel of this host, and what a directory is to it; empty if that is not known."""
    try:
        # An empty path is an error here, and no name of the current directory.
        about = os.stat(path)  # noqa: PTH116
        return [Path(KERNEL).read_bytes().strip(), f"{about.st_dev}:{about.st_ino}".encode()]
    except OSError:
        return []


def _accepts(target: Target) -> bool:
    try:
        return bool(ask(target, PROBE_SECONDS))
    except NoAnswer:
        return False


def lab_server(inventory: Inventory, name: str, timeout: float) -> dict[str, t.Any]:
    """Return ``url`` with its token, and ``error`` with ``what``, ``why`` and ``do`` where there is none.

    ``login`` is what else the server asks for, "token" or "password", which is not known then.
    Waits for a server that has not printed its URL yet.
    """
    mine = server_container(inventory, name)
    place = published(mine)
    try:
        if inventory.engine.denied:
            raise LabError(
                inventory.engine.state,
                inventory.reason,
                "Log out and in again if you joined group docker just now, or ask whoever runs this computer to "
                "add you to it.",
            )
        if mine and not runs(mine):
            why = "It is paused." if mine["State"]["Running"] else "It is stopped."
            if is_put_back(mine):
                why = "It was being replaced when that was interrupted. Starting it puts it back as it was."
            raise LabError(
                f"The lab {name} does not run.", why, f"Start it: ./lab start {setting_option('lab_name', name)}"
            )
        if mine is None:
            raise LabError(
                f"There is no lab {name} that runs on this computer.",
                inventory.reason or "None of that name was made here, or it was removed.",
                "See which there are with ./lab status, or make it with ./lab local.",
            )
        if not place["port"]:
            named = name_option(name)
            raise LabError(
                f"The lab {name} has no URL.",
                "Its container publishes no port.",
                f"Remove the lab with ./lab down{named}, and make a new one with ./lab local{named}. Your files stay.",
            )
        host = LOOPBACK.get(place["address"], place["address"])
        found = wait_for_published(inventory.client, mine["Id"], timeout, host, place["port"])
        login = "token" if found.token_hidden else "password" if found.password_set else ""
        url = write_url(found.url, host, place["port"])
        return {"url": url, "error": {}, **({"login": login} if login else {})}
    except LabError as error:
        return {"url": "", "error": {"what": error.what, "why": error.why, "do": error.do}}


def inspect_ending(name: str, ending: str, certificate: str = "") -> Loss:
    """Return what would be lost with a lab's container; nothing without a container or an engine."""
    client = engine_api(PROBE_SECONDS) or Docker()
    try:
        found = client.find("container", name)
    except NotListening:
        found = None
    except EngineUnavailable:
        # It may be slow. Whoever asks has just seen the container.
        return Loss([UNKNOWN], "", True)
    if found is None:
        return loss(REMOVE if ending == REMOVE else STOP, False, [], Layer([], []))
    mine = _checked(parse_container, found)
    labels, running = labels_of(mine), mine["State"]["Running"]
    parts: dict[str, t.Callable[[], t.Any]] = {}
    if running:
        parts["activity"] = lambda: _activity(client, mine, certificate)
        parts["commands"] = lambda: _commands(client, found)
        parts["dask"] = lambda: _dask_activity(client, labels.get(NAME, ""))
    if ending in (REPLACE, REMOVE):
        bound = [SYNCED, labels.get("desi.lab.inside") or SYNCED]
        parts["layer"] = lambda: _layer(client, mine["Id"], bound)
    results, _errors = side_by_side(parts, 3 * PROBE_SECONDS)
    activity, commands = results.get("activity", [UNKNOWN]), results.get("commands", [UNKNOWN])
    rows = [*activity, *(row for row in commands if row not in activity), *results.get("dask", [])]
    return loss(ending, running, rows, results.get("layer"))


def _layer(client: Api | Docker, container: str, bound: t.Collection[str]) -> Layer:
    layer = layer_of(_checked(parse_changes, client.changes(container)), bound)
    same = untouched(client, container, layer.files)
    return Layer(layer.packages, [path for path in layer.files if path not in same])


def _dask_activity(client: Api | Docker, lab: str) -> list[Line]:
    found = client.find("container", f"desi-lab-{lab}-{SCHEDULER_ROLE}")
    mine = _checked(parse_container, found) if found else None
    if mine is None or labels_of(mine).get(NAME) != lab or not mine["State"]["Running"]:
        return []
    return activity_rows(ask_scheduler(client, mine["Id"]))


def _commands(client: Api | Docker, container: Tree) -> list[Line]:
    test = ((container.get("Config") or {}).get("Healthcheck") or {}).get("Test") or []
    return command_rows(client.commands(container), " ".join(map(str, test[1:])))


def _activity(client: Api | Docker, container: Tree, certificate: str) -> list[Line]:
    place = published(container)
    host = LOOPBACK.get(place["address"], place["address"])
    try:
        found = wait_for_published(client, container["Id"], URL_SECONDS, host, place["port"])
    except LabError:
        return [UNKNOWN]
    url = write_url(found.url, host, place["port"])
    return what_runs(url, certificate if url.startswith("https:") else "", of_container(container["Id"], client))
