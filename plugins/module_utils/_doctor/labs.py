# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the labs on this computer, and of resources without a lab."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.module_utils._common.text import name_option
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING, Finding
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import state_word

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


def judge_leftovers(found: Labs, dead: t.Sequence[str]) -> list[Finding]:
    """Judge labeled resources and mounts without a lab. ``dead`` are mounts that hang."""
    title = "Leftovers"
    labs = {lab["name"] for lab in found.get("labs") or []}
    # Without an engine, it is unknown which mounts are in use.
    mounts = [mount for mount in found.get("mounts") or [] if not mount["labs"]] if found.get("engine") else []
    containers = [item for item in found.get("containers") or [] if item["lab"] not in labs]
    networks = [item for item in found.get("networks") or [] if item["lab"] not in labs]
    facts = {
        "mounts": [mount["path"] for mount in mounts],
        "dead_mounts": list(dead),
        "containers": [item["name"] for item in containers],
        "networks": [item["name"] for item in networks],
    }
    every = []
    for path in dead:
        why = "Whatever reads it waits, or fails with 'Transport endpoint is not connected'."
        do = "run ./lab local again if a lab uses it, else ./lab down · or: sudo umount -l " + path
        every.append(Finding("leftovers", title, BROKEN, f"the mount {path} does not answer", why, do, facts))
    owners = sorted({item["lab"] for item in [*containers, *networks]})
    for lab in owners:
        resources = [f"container {item['name']}" for item in containers if item["lab"] == lab]
        resources += [f"network {item['name']}" for item in networks if item["lab"] == lab]
        why, do = f"Lab {lab} has no server any more.", f"./lab down{name_option(lab)}"
        every.append(Finding("leftovers", title, WARNING, ", ".join(resources), why, do, facts))
    if mounts:
        text = ", ".join(mount["path"] for mount in mounts)
        why, do = "They cost memory and a connection to the bucket, and no lab uses them.", "./lab down"
        every.append(Finding("leftovers", title, WARNING, f"mounts of no lab: {text}", why, do, facts))
    return every or [Finding("leftovers", title, OK, "none", facts=facts)]
