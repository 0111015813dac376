# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the labs on this computer, and of resources without a lab."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import PurePosixPath

from .._common.names import LAB_NAME
from .._common.text import name_option, shell_path
from .._lab.labels import state_word
from .._mount.spec import mount_name
from .._mount.unit_templates import unit_name
from .findings import BROKEN, OK, SKIPPED, WARNING, Finding

# Of a mount, in the directory around it.
HIDDEN = ".bucket"
BY_HAND = "see whose it is with docker ps --all and docker network ls: ./lab gives no lab such a name"

Labs = t.Mapping[str, t.Any]


def judge_labs(found: Labs) -> list[Finding]:
    """Judge the result of M(desi.lab.labs_info): one finding if all is well, else one for each problem."""
    title = "Labs here"
    if not found.get("engine"):
        reason = str(found.get("reason") or "the engine does not answer")
        return [Finding("labs", title, SKIPPED, f"not looked at: {reason[0].lower()}{reason[1:].rstrip('.')}")]
    labs = list(found.get("labs") or [])
    every = [finding for lab in labs for finding in _judge_lab(lab)]
    if every or not labs:
        return every or [Finding("labs", title, OK, "none", facts={"labs": []})]
    states = ", ".join(f"{lab['name']} ({state_word(lab['state'])})" for lab in labs)
    return [Finding("labs", title, OK, states, facts={"labs": [lab["name"] for lab in labs]})]


def _judge_lab(lab: Labs) -> list[Finding]:
    title, facts = f"Lab {lab['name']}", {"lab": lab["name"], "state": lab["state"]}
    again = f"run the command again that made it, such as ./lab local{name_option(lab['name'])}"
    every = []
    if lab.get("server_answers") is False:
        why = "Its container runs, but nothing answers at its port: it may be about to start, or its server hangs."
        found = f"does not answer at {lab['address']}:{lab['port']}"
        every.append(Finding("labs", title, BROKEN, found, why, f"wait a minute; then {again}", facts))
    workers, dask = lab.get("workers") or 0, lab.get("dask")
    if workers and lab["state"] == "running" and (not dask or dask["workers"] < workers):
        found = f"{dask['workers']} of its {workers} Dask workers are connected" if dask else "its scheduler is silent"
        why = "Notebooks that use Dask wait, or compute with fewer workers."
        every.append(Finding("labs", title, BROKEN, found, why, f"./lab start{name_option(lab['name'])}", facts))
    if lab.get("mount_answers") is False:
        why = "Notebooks in it cannot read the data."
        do = f"{again}: it mounts again, and the running lab sees it"
        every.append(Finding("labs", title, BROKEN, f"its mount {lab['mount']} does not answer", why, do, facts))
    return every


def judge_leftovers(found: Labs, dead: t.Sequence[str], units: t.Container[str] = ()) -> list[Finding]:
    """Judge labeled resources and mounts without a lab.

    ``dead`` are mounts that hang, ``units`` the systemd units of mounts.
    """
    title = "Leftovers"
    labs = {lab["name"] for lab in found.get("labs") or []}
    known = {f"{mount['path']}/{HIDDEN}": mount for mount in found.get("mounts") or []}
    # Without an engine, it is unknown which mounts are in use.
    unused = [path for path, mount in known.items() if not mount["labs"]] if found.get("engine") else []
    containers = [item for item in found.get("containers") or [] if item["lab"] not in labs]
    networks = [item for item in found.get("networks") or [] if item["lab"] not in labs]
    facts = {
        "mounts": [known[path]["path"] for path in unused],
        "dead_mounts": list(dead),
        "containers": [item["name"] for item in containers],
        "networks": [item["name"] for item in networks],
    }
    every = []
    for path in dict.fromkeys([*dead, *unused]):
        mount = known.get(path, {})
        users, gone = mount.get("labs") or [], sorted(set(mount.get("made_for") or ()) - labs)
        if users:
            do = f"run the command again that made the lab {users[0]}, such as ./lab local{name_option(users[0])}"
        else:
            do = _removal(gone[0]) if gone and path in unused else ""
            do = do or _unmount(path, units)
        if path in dead:
            why = "Whatever reads it waits, or fails with 'Transport endpoint is not connected'."
            every.append(Finding("leftovers", title, BROKEN, f"the mount {path} does not answer", why, do, facts))
        else:
            why = "It costs memory and a connection to the bucket, and no lab uses it."
            every.append(Finding("leftovers", title, WARNING, f"a mount of no lab: {mount['path']}", why, do, facts))
    for lab in sorted({item["lab"] for item in [*containers, *networks]}):
        resources = [f"container {item['name']}" for item in containers if item["lab"] == lab]
        resources += [f"network {item['name']}" for item in networks if item["lab"] == lab]
        why = f"Lab {lab} has no server any more."
        every.append(Finding("leftovers", title, WARNING, ", ".join(resources), why, _removal(lab) or BY_HAND, facts))
    return every or [Finding("leftovers", title, OK, "none", facts=facts)]


def _removal(lab: str) -> str:
    """Return the command that removes what is left of a lab here; empty for a name in a label that no lab has.

    Without its name, it would be another lab.
    """
    return f"./lab down -e lab_name={lab} -e lab_where=here" if LAB_NAME.fullmatch(lab) else ""


def _unmount(path: str, units: t.Container[str]) -> str:
    """Return the commands that end a mount which is no lab's, and whoever would mount it again."""
    key, unit = PurePosixPath(path).parent.name, unit_name(mount_name(path))
    first = f"docker rm --force {shlex.quote(f'desi-lab-mount-{key}')}; " if key.endswith("-mounter") else ""
    return f"sudo systemctl disable --now {unit}" if unit in units else f"{first}sudo umount -l {shell_path(path)}"
