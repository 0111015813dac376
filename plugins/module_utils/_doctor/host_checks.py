# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host checks: pure functions from facts to findings."""

from __future__ import annotations

import re
import typing as t

from .._common.humanize import GIB
from .._common.text import shell_path
from .._docker.engine import Engine
from .._docker.ports import port_remedy
from .findings import BROKEN, OK, WARNING, Finding

# Debian 11 and Ubuntu 20.04 have it; older ones lack options of the lab's container.
OLDEST_ENGINE = (20, 10)
VERSIONS = ("product", "ansible", "python", "system", "collections", "wanted", "wanted_ansible")
# The minimum in GiB, and what is comfortable.
CACHE_GIB = (1, 10)
DIRECTORY_GIB = (0.1, 1)
MEMORY_GIB = (0.5, 2)
# With fewer free inodes, no files can be created.
FEWEST_FILES = 100

_VERSION = re.compile(r"\d+(?:\.\d+)*")
_BOUND = re.compile(r"(>=|<=|==|!=|>|<)?\s*(\d+(?:\.\d+)*)")


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as 20, 10, 24."""
    found = _VERSION.match(version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def within(version: str, required: str) -> bool:
    """Return whether a version is in a range such as ``>=10.1.0,<12.0.0``."""
    have = numbers(version)
    for sign, bound in _BOUND.findall(required):
        limit = numbers(bound)
        size = max(len(have), len(limit))
        one, other = (part + (0,) * (size - len(part)) for part in (have, limit))
        good = {
            ">=": one >= other,
            "<=": one <= other,
            ">": one > other,
            "<": one < other,
            "!=": one != other,
            "==": one == other,
            "": one == other,
        }[sign]
        if not good:
            return False
    return bool(have)


def judge_versions(facts: t.Mapping[str, t.Any]) -> list[Finding]:
    """Judge the versions of DESI Lab, Ansible, Python and collections against the required ones."""
    facts = {name: facts[name] for name in VERSIONS}
    required, have = facts["wanted"], facts["collections"]
    found = f"DESI Lab {facts['product']}, Ansible {facts['ansible']}, Python {facts['python']}"
    title, do = "Versions", "let ./lab install what it was tested with: rm -rf .venv, then ./lab doctor"
    missing = [name for name in required if not have.get(name)]
    other = [f"{name} {have[name]}" for name in required if have.get(name) and not within(have[name], required[name])]
    if missing:
        why = f"The collections {', '.join(missing)} are missing, and roles of DESI Lab call them."
        return [Finding("versions", title, BROKEN, found, why, f"install them with ansible-galaxy, or {do}", facts)]
    if not within(facts["ansible"], facts["wanted_ansible"]):
        why = f"DESI Lab needs Ansible {facts['wanted_ansible']}."
        return [Finding("versions", title, BROKEN, found, why, do, facts)]
    if other:
        why = f"Not what DESI Lab was tested with: {', '.join(other)}."
        return [Finding("versions", title, WARNING, found, why, do, facts)]
    return [Finding("versions", title, OK, found, facts=facts)]


def judge_engine(engine: Engine, rights: str) -> list[Finding]:
    """Judge the engine. ``rights`` says by whose rights it is used."""
    title = "Docker Engine"
    facts = {"version": engine.version, "endpoint": engine.endpoint, "rights": rights, "reason": engine.reason}
    if engine.answers:
        found = f"{engine.version}, used {rights}"
        if numbers(engine.version) and numbers(engine.version) < OLDEST_ENGINE:
            least = ".".join(map(str, OLDEST_ENGINE))
            do = f"install {least} or newer: https://docs.docker.com/engine/install/"
            why = f"Engines before {least} lack what the lab's container is run with."
            return [Finding("engine", title, WARNING, found, why, do, facts)]
        return [Finding("engine", title, OK, found, facts=facts)]
    if engine.denied:
        do = (
            'log out and in again if you joined group docker just now; else: sudo usermod -aG docker "$USER", '
            "by which you are root of this computer without a password"
        )
        return [Finding("engine", title, BROKEN, engine.state, engine.reason, do, facts)]
    if not engine.installed and not engine.elsewhere:
        if engine.platform == "linux":
            do = "nothing: ./lab local installs it, as root or with sudo"
            return [Finding("engine", title, WARNING, engine.state, "A lab is a container of its own.", do, facts)]
        do = "install Docker Desktop: https://docs.docker.com/get-docker/"
        return [Finding("engine", title, BROKEN, engine.state, "A lab is a container of its own.", do, facts)]
    do = "start it: sudo systemctl start docker (./lab local does so, too), or Docker Desktop"
    if engine.elsewhere:
        do = f"see that it runs at {engine.endpoint}, or unset DOCKER_HOST and the docker context"
    state = "Docker Engine does not answer." if engine.elsewhere else engine.state
    return [Finding("engine", title, BROKEN, state, engine.reason, do, facts)]


def judge_fuse(problem: str, do: str, helper: str) -> list[Finding]:
    """Judge FUSE: why /dev/fuse cannot be opened, if so, and where fusermount3 is."""
    title, facts = "FUSE", {"device": not problem, "helper": helper}
    if problem:
        return [Finding("fuse", title, BROKEN, problem, "Without it, no bucket can be mounted here.", do, facts)]
    if not helper:
        why = "Tools that mount as somebody else than root call it."
        do = "nothing: ./lab local installs the package fuse3, as root or with sudo"
        return [Finding("fuse", title, WARNING, "/dev/fuse opens, but there is no fusermount3", why, do, facts)]
    return [Finding("fuse", title, OK, f"/dev/fuse opens, {helper}", facts=facts)]


def judge_propagation(place: str, shared: bool, may_bind: bool) -> list[Finding]:
    """Judge whether new mounts propagate to running labs. ``place`` is the mount around our directory."""
    title, facts = "Mount propagation", {"mount": place, "shared": shared, "may_bind": may_bind}
    if shared:
        return [Finding("propagation", title, OK, f"shared, at {place}", facts=facts)]
    if may_bind:
        return [Finding("propagation", title, OK, f"not shared at {place}; made so with the first mount", facts=facts)]
    why = "A lab that runs would not see a mount that was made again, and only root can make the place shared."
    do = f"sudo mount --make-rshared {shell_path(place)}, or run ./lab as somebody with sudo"
    return [Finding("propagation", title, WARNING, f"not shared, at {place}", why, do, facts)]


def judge_room(check: str, title: str, use: str, facts: t.Mapping[str, t.Any], gib: t.Sequence[float]) -> Finding:
    """Judge free disk space. ``gib`` has the minimum, and what is comfortable.

    ``use`` is what the room is for.
    """
    path, free = facts["path"], facts["free"] / GIB
    found = f"{free:.1f} GiB free at {path}"
    # A prune of the whole system would take labs that are stopped.
    do = "see what Docker keeps (docker system df), and remove old images: docker image prune"
    do = f"{do}; or remove a lab: ./lab down -e lab_name=… -e lab_purge=true"
    do = f"{do}; see what takes it: du -xh {shell_path(path)}"
    if not facts["writable"]:
        return Finding(check, title, BROKEN, f"{path} cannot be written", f"It is for {use}.", "choose another", facts)
    if facts["files"] is not None and facts["files"] < FEWEST_FILES:
        why = f"It is for {use}, and no more files can be made there (inodes)."
        return Finding(check, title, BROKEN, f"{found}, but for {facts['files']} files", why, do, facts)
    if free < gib[0]:
        return Finding(check, title, BROKEN, found, f"It is for {use}, which need {gib[0]:g} GiB at least.", do, facts)
    if free < gib[1]:
        return Finding(check, title, WARNING, found, f"It is for {use}, which want {gib[1]:g} GiB.", do, facts)
    return Finding(check, title, OK, found, facts=facts)


def judge_memory(total: int, available: int) -> list[Finding]:
    """Judge the memory, in bytes."""
    title, facts = "Memory", {"total": total, "available": available}
    found = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    why = "A kernel that reads more than there is dies; catalogs and single HDUs want 2 GiB, whole coadds 16 GiB."
    do = "close what you do not use, read fewer columns or rows at once, or take a machine: ./lab ec2"
    least, good = (int(gib * GIB) for gib in MEMORY_GIB)
    if available < least:
        return [Finding("memory", title, BROKEN, found, why, do, facts)]
    if available < good:
        return [Finding("memory", title, WARNING, found, why, do, facts)]
    return [Finding("memory", title, OK, found, facts=facts)]


def judge_port(port: int, owner: str, lab: str, other: int | None, name: str, made: bool = False) -> list[Finding]:
    """Judge the port of the lab ``name``, which may be ``made``: its owner, that owner's lab, the next free port."""
    title, facts = f"Port {port}", {"port": port, "free": not owner, "owner": owner, "lab": lab, "next_free": other}
    if not owner:
        return [Finding("port", title, OK, "free", facts=facts)]
    if lab == name:
        return [Finding("port", title, OK, f"taken by lab {lab} itself", facts=facts)]
    why = f"Lab {name} would be published there, and two programs cannot listen at one port."
    do = port_remedy(owner, lab, other, made)
    do = do[0].lower() + do[1:]
    if lab:
        return [Finding("port", title, WARNING, f"taken by lab {lab}", why, do, facts)]
    do = do if made else f"{do} · or end {owner}"
    return [Finding("port", title, BROKEN, f"taken by {owner}", why, do, facts)]


def judge_tools(tools: t.Mapping[str, str]) -> list[Finding]:
    """Judge the programs that labs on EC2 need; ``tools`` has their paths, empty if missing."""
    title, facts = "SSH and rsync", dict(tools)
    missing = [name for name, path in tools.items() if not path]
    if not missing:
        return [Finding("tools", title, OK, ", ".join(tools), facts=facts)]
    why = "A lab on EC2 is made and reached with them. Labs on this computer need none of them."
    do = "install them: sudo apt-get install openssh-client rsync"
    return [Finding("tools", title, WARNING, f"missing: {', '.join(missing)}", why, do, facts)]


def judge_link_local(obstacle: str, made: bool, may: bool, answers: bool) -> list[Finding]:
    """Judge whether labs can reach the link-local metadata service of a cloud, which hands out keys.

    ``obstacle`` says why the rule cannot hold here, ``made`` whether it was made since the last boot, ``may`` whether
    this person can make it, and ``answers`` whether there is anything at such an address.
    """
    title = "Metadata addresses"
    facts = {"obstacle": obstacle, "made": made, "may": may, "answers": answers}
    if not answers:
        return [Finding("link_local", title, OK, "nothing answers at 169.254.169.254", facts=facts)]
    if made and not obstacle:
        # The rule is one for the networks of labs: other containers may have a use for what their cloud says.
        found = "out of reach of labs, though not of a Dockerfile while it is built"
        return [Finding("link_local", title, OK, found, facts=facts)]
    why = "Notebooks can ask 169.254.169.254 for the keys of this computer, as its cloud gives them out there."
    if obstacle:
        do = (
            "run labs by a Docker Engine on this computer that runs as root, or give this computer no role in its cloud"
        )
        return [Finding("link_local", title, WARNING, f"within reach of labs: {obstacle}", why, do, facts)]
    if may:
        return [Finding("link_local", title, OK, "out of reach of labs from the next ./lab local on", facts=facts)]
    do = "run ./lab local once as root or with sudo, or give this computer no role in its cloud"
    return [Finding("link_local", title, WARNING, "within reach of labs: only root can make the rule", why, do, facts)]
