# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the specification of a lab with what its host has, part by part."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import typing as t
from pathlib import Path

from ..module_utils._common.text import name_option, setting_option
from ..module_utils._dask.scheduler import TASKS
from ..module_utils._docker.limits import lab_limits, limits_update
from ..module_utils._lab.instance_answer import plain_text
from ..module_utils._lab.labels import MOUNT, image_newer, is_put_back, labels_of, runs
from ._mount_placement import may_mount
from ._saved_settings import label_settings
from ._settings import DATA_WORDS
from ._settings_resolve import SAVED, settings_label
from ._workers import Resources, worker_resources

KEEP, START, MAKE, REPLACE, REMOVE, COMPARE = "keep", "start", "make", "replace", "remove", "compare"
"""What is done with a part. Compare: only its role can tell, and changes nothing that is as it is to be."""
SPECIFICATION = "desi.lab.specification"
DASK_CONFIG = "desi.lab.dask-config"
"""The label of a container that reads Dask's configuration from a volume of the lab."""
WORKERS = "workers"
LOCAL = -1
_MAKERS = ("data", "image", "jupyter", "sample")
_PARTS = ("defaults", "files", "tasks", "vars")

Tree = t.Mapping[str, t.Any]


class Part(t.NamedTuple):
    """A part of a lab, what is done with it, and why."""

    name: str
    action: str
    reason: str


class Goal(t.NamedTuple):
    """The specification of a lab.

    ``settings`` are those of settings_resolve, with the values that they have on the lab's host. ``stays`` is for a
    verb that starts a container as it is, ``update`` for one that asks for the newest image, and ``back`` is the id of
    the image that one goes back to. ``worker_memory`` is that of each of the ``workers``, in bytes; ``remote_workers``
    are on machines of their own, which this is no plan of.
    """

    settings: Tree
    specification: str
    stays: bool = False
    update: bool = False
    workers: int = 0
    worker_memory: int = 0
    remote_workers: int = LOCAL
    back: str = ""


def makers_hash(collection: Path) -> str:
    """Return a hash of all that makes a container out of settings: other code may make another one."""
    digest = hashlib.sha256()
    for role, part in itertools.product(_MAKERS, _PARTS):
        for path in sorted((collection / "roles" / role / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(collection)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def specification(settings: Tree, host: Tree, user: Tree, binds: t.Sequence[Tree], makers: str) -> str:
    """Return a hash of what a lab's container is made from: the same hash means the same container.

    What can be changed as a container runs (limits) is no part of it. ``user`` is that of the files, ``binds`` are
    those of data_layout_info.
    """
    parts = {
        "settings": settings_label(settings, {}),
        "name": settings["name"],
        "user": [user["uid"], user["gid"], sorted(user["groups"]) if user.get("by_sudo") else []],
        "folder": [host["folder"].get("uid"), host["folder"].get("gid")],
        # What is known of an engine that is not there yet, too.
        "engine": {key: host["docker"].get(key) for key in ("desktop", "endpoint", "rootless")},
        "data": [dict(bind) for bind in binds],
        "authorities": host["authorities"]["checksum"],
        "makers": makers,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def lab_worker_resources(settings: Tree, host: Tree, worker_memory: str) -> Resources:
    """Return the resources of each desired worker. ``worker_memory`` is the setting."""
    made_with = next((row["memory"] for row in dask_members(settings["name"], "worker", host)), 0)
    return worker_resources(host["docker"], worker_memory, settings["memory"], made_with)


def host_plan(goal: Goal, host: Tree) -> list[Part]:
    """Return what is done with each part of a lab. ``host`` is the result of labs_info that was told to verify it."""
    engine = host["docker"]
    if not host["engine"]:
        first = Part("engine", START if engine["installed"] else MAKE, host["reason"] or str(engine["state"]))
        return [first, *(Part(name, COMPARE, "Known once the engine answers.") for name in ("image", "data", "server"))]
    container = host["server"].get("container") or {}
    parts = [Part("engine", KEEP, ""), _image(goal, container, host["images"])]
    if goal.settings["data"] == "sample":
        parts.append(_helper("sample", goal.settings["name"], host))
    parts += [_data(goal.settings, container, host), _server(goal, container, host)]
    if goal.remote_workers > 0:
        return parts
    return [*parts, *_workers(goal, container, host, container_stays(parts))]


def row_runs(row: Tree) -> bool:
    """Return whether a container, as labs_info tells of it, computes."""
    return bool(row["running"]) and row.get("state") != "paused"


def lab_members(lab: str, role: str, host: Tree) -> list[Tree]:
    """Return the containers of a lab that have a role."""
    return [row for row in host["containers"] if (row["lab"], row["role"]) == (lab, role)]


def dask_members(lab: str, role: str, host: Tree) -> list[Tree]:
    """Return the scheduler or the workers of a lab; labels alone may come with anybody's image."""
    named = re.compile(rf"desi-lab-{re.escape(lab)}-{role}(-[0-9]+)?")
    return [row for row in lab_members(lab, role, host) if named.fullmatch(row["name"])]


def worker_count(settings: Tree, host: Tree, remote_workers: int = LOCAL) -> int:
    """Return the desired number of workers: the requested one, else the existing one.

    Where they are on machines of their own, none is.
    """
    if remote_workers != LOCAL:
        return 0
    if "workers" in settings["given"]:
        return int(settings["workers"])
    return len(dask_members(settings["name"], "worker", host))


def is_kept(parts: t.Iterable[Part]) -> bool:
    """Return whether nothing is done at all."""
    return all(part.action == KEEP for part in parts)


def container_stays(parts: t.Iterable[Part]) -> bool:
    """Return whether the lab's container is used as it is, be it started or not."""
    actions = {part.name: part.action for part in parts}
    return actions["image"] == KEEP and actions["server"] in (KEEP, START)


def workers_end(parts: t.Iterable[Part], goal: Goal, host: Tree) -> bool:
    """Return whether tasks or results of workers would be lost; they would be if the scheduler does not answer."""
    actions = {part.name: part.action for part in parts}
    ended = actions.get(WORKERS) == REPLACE or (actions.get(WORKERS) == REMOVE and not goal.workers)
    runs = any(row["running"] for row in dask_members(goal.settings["name"], "scheduler", host))
    counts = host["server"].get("dask")
    # A scheduler that is about to start has no workers of other machines yet.
    if not counts and goal.remote_workers != LOCAL:
        return False
    return ended and runs and (not counts or any(counts[name] for name in TASKS))


def lab_is_kept(parts: t.Iterable[Part]) -> bool:
    """Return whether nothing is done but to the workers beside it."""
    return is_kept(part for part in parts if part.name != WORKERS)


def _image(goal: Goal, container: Tree, images: t.Mapping[str, str]) -> Part:
    image = str(goal.settings["image"])
    if goal.stays and container:
        return Part("image", KEEP, "")
    if goal.update:
        return Part("image", COMPARE, "The newest is asked for.")
    if _goes_back(goal, container):
        return Part("image", COMPARE, "The one before is asked for.")
    if not container:
        return Part("image", COMPARE, "There is no lab that runs one.")
    if image.startswith("/"):
        return Part("image", COMPARE, "Its folder may have changed.")
    if image == "embedded" and image_newer(container, images) is not False:
        return Part("image", COMPARE, "It is not the one that the lab runs.")
    return Part("image", KEEP, "")


def _goes_back(goal: Goal, container: Tree) -> bool:
    return bool(goal.back and container) and container.get("Image") != goal.back


def _helper(role: str, lab: str, host: Tree) -> Part:
    found = lab_members(lab, role, host)
    if not found:
        return Part(role, MAKE, "There is none.")
    return Part(role, KEEP, "") if row_runs(found[0]) else Part(role, START, "It does not run.")


def _data(settings: Tree, container: Tree, host: Tree) -> Part:
    if settings["data"] not in DATA_WORDS:
        return Part("data", KEEP, "")
    if not container:
        return Part("data", MAKE, "There is no lab that reads the bucket.")
    directory, lab = labels_of(container).get(MOUNT), settings["name"]
    if not directory:
        return Part("data", KEEP, "") if may_mount(container) else _helper("mounter", lab, host)._replace(name="data")
    # A container that uses a mount keeps it from being ended, whoever it was made for.
    row = next((row for row in host["labs"] if row["name"] == lab), {})
    if directory not in [mount["path"] for mount in host["mounts"]] or not row.get("mount_answers"):
        return Part("data", START, "The bucket is not mounted, or does not answer.")
    return Part("data", KEEP, "")


def _server(goal: Goal, container: Tree, host: Tree) -> Part:
    if not container:
        return Part("server", MAKE, "There is no container.")
    settings, engine, server = goal.settings, host["docker"], host["server"]
    if is_put_back(container):
        # Role jupyter does so, and asks before it replaces what is in it after all.
        return Part("server", START if goal.stays else COMPARE, "It was being replaced, and is put back first.")
    if (goal.workers or goal.remote_workers > 0) and not labels_of(container).get(DASK_CONFIG):
        return Part("server", REPLACE, "It was made by a version that had no workers.")
    if _goes_back(goal, container):
        return Part("server", REPLACE, "It goes back to the image before.")
    if not goal.stays and labels_of(container).get(SPECIFICATION) != goal.specification:
        return _differs(settings, container)
    if limits_update(lab_limits(engine, settings["memory"], float(settings["cpus"] or 0)), container, engine):
        return Part("server", COMPARE, "Its limits are others.")
    if settings.get("folder_made"):
        return Part("server", COMPARE, "Its folder was made again.")
    if not container["State"]["Running"]:
        return Part("server", START, "It is stopped.")
    if not runs(container):
        return Part("server", START, "It is paused.")
    if f"desi-lab-{settings['name']}" not in container["NetworkSettings"]["Networks"]:
        return Part("server", START, "It is not on its network.")
    if not server.get("accepts_token"):
        return Part("server", START, "It does not answer.")
    if not server.get("sees_data"):
        return Part("server", START, "It does not see its data.")
    if not server.get("sees_folder", True):
        return Part("server", START, "It does not see its folder, which was made anew.")
    if host["link_local_lost"]:
        return Part("server", START, "Link-local addresses are not blocked since the last boot.")
    return Part("server", KEEP, "")


def _workers(goal: Goal, container: Tree, host: Tree, stays: bool) -> list[Part]:
    """Return what is done with the scheduler and the workers; none where the lab neither has nor requests any."""
    lab, target = goal.settings["name"], goal.workers
    schedulers, workers = (dask_members(lab, role, host) for role in ("scheduler", "worker"))
    number = len(workers)
    there = f"There {'is' if number == 1 else 'are'} {number or 'none'}."
    if not target:
        return [Part(WORKERS, REMOVE, there)] if schedulers or workers else []
    rows = [*schedulers, *workers]
    # Before their number: what is made anew with it ends what all of them compute.
    if stays and any(row["server"] != container.get("Id") for row in rows):
        return [Part(WORKERS, REPLACE, "They were made for another container of the lab.")]
    if stays and rows and not host["server"].get("sees_folder", True):
        # They have the directories that the lab's container was given.
        return [Part(WORKERS, REPLACE, "They do not see its folder, which was made anew.")]
    limited = "memory" in (host["docker"].get("limits") or [])
    if stays and limited and any(row["memory"] != goal.worker_memory for row in workers):
        return [Part(WORKERS, REPLACE, "Their memory is to be another one.")]
    if len(workers) != target:
        return [Part(WORKERS, REMOVE if len(workers) > target else MAKE, there)]
    if not schedulers:
        return [Part(WORKERS, MAKE, "There is no scheduler.")]
    if not stays:
        return [Part(WORKERS, COMPARE, "They run what the lab runs.")]
    if not all(row_runs(row) for row in rows):
        return [Part(WORKERS, START, "Not all of them run.")]
    counts = host["server"].get("dask")
    if not counts or counts["workers"] < target:
        found = f"{counts['workers']} of them are connected." if counts else "Their scheduler does not answer."
        return [Part(WORKERS, START, found)]
    return [Part(WORKERS, KEEP, "")]


def _differs(settings: Tree, container: Tree) -> Part:
    """Return what is done with a container that was not made from this specification, or does not say from which."""
    names = [difference.name for difference in differences(settings, container)]
    if names:
        return Part("server", REPLACE, f"It was made with another {', '.join(names)}.")
    labels = labels_of(container)
    old = "It was made from something else." if labels.get(SPECIFICATION) else "It was made by an earlier version."
    return Part("server", COMPARE, old)


class Difference(t.NamedTuple):
    """A setting that differs from the one that a container was made with, both as people write them."""

    name: str
    was: str
    now: str


def differences(settings: Tree, container: Tree) -> list[Difference]:
    """Return the settings that differ from those which a container's label saves; none without such a label."""
    saved, now = label_settings(labels_of(container)), json.loads(settings_label(settings, {}))
    differing = [name for name in SAVED if saved and saved.get(name) != now.get(name)]
    return [Difference(name, _written(saved.get(name)), _written(now.get(name))) for name in differing]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else plain_text(str("" if value is None else value))


def difference_rows(found: t.Iterable[Difference]) -> list[dict[str, str]]:
    """Return rows of a box: what each setting was, and what it would be."""
    return [{"label": each.name, "text": f"{each.was or 'unset'} -> {each.now or 'unset'}"} for each in found]


def ways_to_keep(lab: str, found: t.Sequence[Difference]) -> str:
    """Return how a lab is kept as it is, and how to have another one beside it, as sentences."""
    said = " ".join(setting_option(each.name, each.was) for each in found)
    besides = f", or add {said}" if said else ""
    return (
        f"To keep it: ./lab start{name_option(lab)}{besides}. To have both, give the new one a name: -e lab_name=NAME."
    )


def made_with(container: Tree) -> dict[str, str]:
    """Return what a container was made with, as the roles say it of a lab that they make."""
    labels = labels_of(container)
    names = {name: name for name in ("digest", "image", "inside", "mount", "release")}
    found = {key: labels.get(f"desi.lab.{name}", "") for key, name in {**names, "data": "text"}.items()}
    return {**found, "image_id": container.get("Image", "")}
