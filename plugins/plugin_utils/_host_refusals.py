# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a lab from being made, or started with other settings, as far as its host shows beforehand."""

from __future__ import annotations

import typing as t

from ..module_utils._common.errors import LabError
from ..module_utils._common.text import name_option, setting_option, shell_path
from ..module_utils._docker.ports import port_remedy
from ..module_utils._mount.shared_place import why_not_bound, why_not_written
from ._host_plan import REPLACE, Difference, Goal, Part, Tree, lab_worker_resources, worker_count
from ._mount_placement import writable_by
from ._settings import check_mount_of_workers
from ._settings_resolve import PREFIX
from ._workers import check_room

CHANGED_IN_PLACE = ("lab_cpus", "lab_folder_anyway", "lab_memory")
"""Settings that a container need not be replaced for."""


def refusals(goal: Goal, host: Tree, user: Tree, worker_memory: str = "") -> list[LabError]:
    """Return all that keeps a lab from being made, before anything is pulled or built for it.

    ``host`` is the result of labs_info, with the layout of the data and the port where they are needed.
    """
    settings, layout, port = goal.settings, host["layout"], host["port"]
    errors = [LabError(row["what"], row["why"], row["do"]) for row in (layout, port) if row.get("failed")]
    if host["docker"].get("answers") and not host["engine"]:
        what = "Docker Engine does not say which labs it has, so none is made or changed."
        errors.append(LabError(what, host["reason"], "Restart Docker Engine, then run this again."))
    errors += _why_no_workers(settings, host, worker_memory, goal.remote_workers)
    rootless = bool(host["docker"].get("rootless"))
    # Where root makes a lab, it runs as the owner of the folder.
    uid = int(user["uid"] or host["folder"].get("uid") or 0)
    why_data = why_not_bound(layout.get("place") or {}, rootless, uid)
    if why_data:
        do = "Mount it again with the option allow_other, or give another folder: -e lab_data=/path."
        errors.append(LabError(f"The data in {settings['data']} cannot be given to a lab.", why_data, do))
    why_folder = _why_folder_not_shared(settings, host["folder"], user, rootless, uid)
    if why_folder:
        is_missing = not host["folder"].get("exists") and not host["folder"].get("problem")
        make = f"Make it: mkdir -p {shell_path(settings['folder'])}. Or choose" if is_missing else ""
        do = f"{make or 'Choose'} another one: -e lab_folder=/path"
        errors.append(LabError(f"The folder {settings['folder']} cannot be shared with the lab.", why_folder, do))
    if not port.get("free", True):
        what, listener = f"Port {settings['port']} on {settings['bind']} is taken.", port["listener"]
        names = {f"the Docker container {row['name']}": row["lab"] for row in host["containers"]}
        stays = goal.stays and bool(host["server"].get("container"))
        do = port_remedy(listener, names.get(listener, ""), port.get("next_free"), stays)
        errors.append(LabError(what, f"It is used by {listener}.", do))
    return errors


def _why_no_workers(settings: Tree, host: Tree, worker_memory: str, remote_workers: int) -> list[LabError]:
    resources = lab_worker_resources(settings, host, worker_memory)
    number = worker_count(settings, host, remote_workers)
    if remote_workers > 0 and settings["data"] != "s3":
        return [
            LabError(
                f"The lab {settings['name']} cannot have workers on EC2 with lab_data={settings['data']}.",
                "Each of them is a machine of its own, which mounts a bucket and has no other data.",
                "Leave lab_data out, or say -e lab_workers=0.",
            )
        ]
    try:
        check_mount_of_workers(max(number, remote_workers, 0), settings["mount"])
        check_room(settings["name"], number, resources, host["docker"])
    except LabError as error:
        return [error]
    return []


def _why_folder_not_shared(settings: Tree, about: Tree, user: Tree, rootless: bool, uid: int) -> str:
    if settings.get("folder_made") or not about:
        return ""
    if about.get("problem"):
        return f"It cannot be looked at: {about['problem']}."
    if not about.get("exists"):
        return "It does not exist."
    if not about["isdir"]:
        return "It is a file, not a folder."
    place = about.get("place") or {}
    # Root may write anywhere, which says nothing of the user who called sudo.
    groups = user["groups"] if user.get("by_sudo") else []
    may_write = writable_by(about, int(user["uid"]), groups) if groups else about["writeable"]
    unwritable = why_not_written(place)
    if not may_write or unwritable:
        return unwritable or "This account may not write in it."
    return why_not_bound(place, rootless, uid)


def lab_of_another(goal: Goal, host: Tree) -> list[LabError]:
    """Return the refusal of a lab of another user that has the name which a lab gets where nobody gives one."""
    settings = goal.settings
    owner = host["others"].get(settings["name"])
    if not owner or "name" in settings["given"]:
        return []
    what = f"The lab {settings['name']} on this computer is {owner}'s."
    why = "It has the name that a lab gets where nobody gives one."
    return [LabError(what, why, "Give yours a name: -e lab_name=NAME")]


def ignored_settings(goal: Goal, differing: t.Iterable[Difference], parts: t.Iterable[Part]) -> list[LabError]:
    """Return the refusal of settings that somebody gave and that a container which stays was not made with."""
    settings = goal.settings
    if not goal.stays or any(part.name == "server" and part.action == REPLACE for part in parts):
        return []
    given = {f"{PREFIX}{name}" for name in settings["given"]} - {*CHANGED_IN_PLACE}
    found = [each for each in differing if each.name in given]
    if not found:
        return []
    has = ", ".join(f"{each.name}={each.was}" for each in found)
    options = " ".join(setting_option(each.name, each.now) for each in found)
    return [
        LabError(
            f"The lab {settings['name']} cannot be started with another {', '.join(each.name for each in found)}.",
            f"Its container was made with {has}, and is started as it is.",
            f"Leave out what differs, or replace it with one that has this, from the newest image: "
            f"./lab update{name_option(settings['name'])} {options}",
        )
    ]
