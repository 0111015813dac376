# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse the simulated transactions of apt-get and dnf, and refuse those that do more than add packages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

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


@dataclass(frozen=True)
class Transaction:
    """The packages that would be installed, removed, or change their version."""

    install: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    upgrade: tuple[str, ...] = ()

    @property
    def only_adds(self) -> bool:
        return not self.remove and not self.upgrade


def manager_of(os_release: str) -> str:
    """Return the package manager by /etc/os-release, empty if unknown."""
    found = dict(re.findall(r"^(ID|ID_LIKE)=(.*)$", os_release, re.MULTILINE))
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
        f"Look whether you want it, and do it yourself: sudo {manager} install {' '.join(names)}. Then run this again.",
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    words = [*names[:most], *more]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
