# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run apt-get and dnf, parse what they say, and refuse what does more than add packages."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from .errors import LabError

# By their names in /etc/os-release.
FAMILIES = {"apt-get": {"debian", "ubuntu"}, "dnf": {"amzn", "centos", "fedora", "rhel"}}

# https://www.debian.org/doc/debian-policy/ch-controlfields.html#source; a dash at its end makes apt-get remove it.
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9+._-]*[A-Za-z0-9+])?", re.ASCII)

# "Inst runc [1.0] (1.1 Debian:12/stable [amd64]) []": without a version in brackets it is new.
_APT = re.compile(r"(?P<does>Inst|Remv|Purg) (?P<name>\S+)(?: \[(?P<old>[^\]]+)\])?")

_DNF_SECTION = re.compile(r"(?P<does>[A-Z][A-Za-z ]+):\s*$")
_DNF_PACKAGE = re.compile(r" (?P<name>[^\s=]\S*)")
_DNF_REPLACED = re.compile(r"\s+replacing\s+(?P<name>\S+)")
_DNF_CHANGES = {"upgrading": "upgrade", "downgrading": "upgrade", "removing": "remove", "obsoleting": "remove"}


# Whoever waits longer for another installation says so meanwhile.
APT = ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=5"]
DNF = ["dnf", "--setopt=exit_on_lock=True"]
# What dnf says of a transaction that it was told not to do.
ABORTED = "Operation aborted"
# A file that somebody changed stays as it is.
INSTALL_APT = ["--yes", "--no-remove"]
INSTALL_APT += [word for each in ("confdef", "confold") for word in ("--option", f"Dpkg::Options::=--force-{each}")]
# How lines begin that say why nothing was done.
TELLING = ("E:", "Error: ", "Failed", "No match", "Problem", "- ")

_LOCKED = re.compile(
    r"could not get lock|unable to acquire the dpkg frontend lock|unable to lock (the administration |)directory"
    r"|is locked by another process|another process using it|holding the (yum|dnf) lock|waiting for process with pid"
    r"|can't create transaction lock|failed to obtain (the |)(rpm |)transaction lock|exit_on_lock",
    re.IGNORECASE,
)
_HOLDER = re.compile(r"held by process (?P<number>\d+)(?: \((?P<name>[^)\s]+)\))?")
# How a shell and subprocess tell of a process that the kernel has killed.
_KILLED = (137, -9)
_FULL = re.compile(
    r"no space left|needs? .*(more space|MB) |(not|n't have) enough (free |disk )*space|disk full", re.IGNORECASE
)
_SOURCE = re.compile(
    r"does not have a release file|is not signed|no_pubkey|malformed (entry|line|stanza)|could not be read"
    r"|failed to download metadata|cannot download repomd|is not valid yet|release file .* expired|404 +not found",
    re.IGNORECASE,
)
_REASONS = (
    (_FULL, "See which file system is full (df -h), make room, then run the same command again."),
    (
        _SOURCE,
        "Check that package source (/etc/apt/sources.list.d, /etc/yum.repos.d) on the machine that this is about, "
        "mend it or take it out, then run the same command again.",
    ),
)


class Locked(LabError):
    """Another installation is under way."""

    def __init__(self, what: str, holder: str) -> None:
        super().__init__(
            what,
            f"Packages are being installed by {holder}, and only one at a time can do that.",
            "Wait until that has ended, then run the same command again, which goes on from here.",
        )
        self.holder = holder


def run(*command: str, timeout: float | None = None) -> tuple[int, str]:
    """Run a command; return its exit code and its output."""
    known = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", "COLUMNS": "200"}
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=known,
        timeout=timeout,
    )
    return done.returncode, done.stdout


def lock_holder(said: str) -> str:
    """Return who keeps a package manager from its lock, for people; empty where that is not what it says."""
    if not _LOCKED.search(said):
        return ""
    found = _HOLDER.search(said)
    if not found:
        return "another program"
    return f"{found['name']} (process {found['number']})" if found["name"] else f"process {found['number']}"


def failed(what: str, said: str, code: int = 1) -> LabError:
    """Return why a package manager failed, by its words and its exit code."""
    holder = lock_holder(said)
    if holder:
        return Locked(what, holder)
    if code in _KILLED:
        why = "The system killed the package manager, most likely because there was no memory left."
        return LabError(what, why, "Run the same command again. If it stays so, use a machine with more memory.")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(TELLING) and not line.endswith(":")] or lines
    for pattern, do in _REASONS:
        found = next((line for line in lines if pattern.search(line)), "")
        if found:
            return LabError(what, found, do)
    why = telling[0] if telling else "The package manager gave no reason."
    return LabError(what, why, "Check the network and its proxy, or install it yourself.")


@dataclass(frozen=True)
class Transaction:
    """The packages that would be installed, removed, or change their version."""

    install: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    upgrade: tuple[str, ...] = ()

    @property
    def only_adds(self) -> bool:
        return not self.remove and not self.upgrade


def os_release() -> str:
    """Return /etc/os-release; empty without one."""
    release = Path("/etc/os-release")
    return release.read_text(encoding="utf-8") if release.exists() else ""


def answer(module: AnsibleModule, name: str, work: t.Callable[[], t.Collection[str]]) -> None:
    """Do the work of a module, and end it with the packages that this returns, under a name."""
    try:
        found = work()
    except Locked as error:
        module.fail_json(locked=error.holder, **error.as_result())
    except LabError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        module.fail_json(msg=f"The package manager could not be started: {error}")
    module.exit_json(changed=bool(found), **{name: list(found)})


def manager_of(release: str) -> str:
    """Return the package manager by the text of /etc/os-release, empty if unknown."""
    found = dict(re.findall(r"^(ID|ID_LIKE)=(.*)$", release, re.MULTILINE))
    for entry in ("ID", "ID_LIKE"):
        words = set(shlex.split(found.get(entry, ""))[:1])
        names = {name for word in words for name in word.split()}
        for manager, family in FAMILIES.items():
            if names & family:
                return manager
    return ""


def read_apt(said: str) -> Transaction:
    """Parse the output of ``apt-get --simulate install``."""
    does: dict[str, list[str]] = {"install": [], "remove": [], "upgrade": []}
    for line in said.splitlines():
        found = _APT.match(line)
        if found and found["does"] == "Inst":
            does["upgrade" if found["old"] else "install"].append(found["name"])
        elif found:
            does["remove"].append(found["name"])
    return Transaction(**{kind: tuple(names) for kind, names in does.items()})


def read_dnf(said: str) -> Transaction:
    """Parse the output of ``dnf --assumeno install``. A replaced package counts as removed."""
    does: dict[str, list[str]] = {"install": [], "remove": [], "upgrade": []}
    kind = ""
    for line in said.splitlines():
        section, package, replaced = _DNF_SECTION.match(line), _DNF_PACKAGE.match(line), _DNF_REPLACED.match(line)
        if line.startswith("Transaction Summary"):
            break
        if section:
            first = section["does"].split()[0].lower()
            kind = "install" if first in ("installing", "reinstalling") else _DNF_CHANGES.get(first, "")
        elif replaced:
            name = re.sub(r"\.(?:noarch|x86_64|aarch64|i686)$", "", replaced["name"])
            does["remove"] += [name] if name not in does["upgrade"] else []
        elif package and kind and package["name"] != "Package":
            does[kind].append(package["name"])
    return Transaction(**{kind: tuple(names) for kind, names in does.items()})


def check_names(names: Sequence[str]) -> None:
    """Refuse names that a package manager would take for an option or a file."""
    for name in names:
        if not NAME.fullmatch(name):
            raise LabError(f"{name!r} is no package.", "No package is called so.", "Give the bare name of a package.")


def check_only_adds(names: Sequence[str], plan: Transaction, manager: str) -> None:
    """Refuse a transaction that would remove packages or change versions."""
    if plan.only_adds:
        return
    parts = [f"remove {_listed(plan.remove)}"] if plan.remove else []
    parts += [f"change the version of {_listed(plan.upgrade)}"] if plan.upgrade else []
    raise LabError(
        f"Not installed: {_listed(names)}.",
        f"For that, {manager} would {' and '.join(parts)}, and DESI Lab does that to nobody's computer.",
        f"If you want that, do it yourself: sudo {manager} install {' '.join(names)}. Then run this again.",
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    words = [*names[:most], *more]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
