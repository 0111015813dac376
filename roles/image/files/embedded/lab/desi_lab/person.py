# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs the lab: a name for a bare number, and the way down from root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path

from desi_lab.errors import UNKNOWN_SETTING, StartError

EXTRA_USERS = Path("/var/lib/extrausers")
CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_ADMIN = 6, 7, 8, 21


def capabilities(status: Path = Path("/proc/self/status")) -> int:
    """The effective capabilities of this process, as the kernel's bit mask."""
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def has_capabilities(*bits: int) -> bool:
    """Whether this process holds all of these capabilities."""
    held = capabilities()
    return all(held >> bit & 1 for bit in bits)


def requested(env: Mapping[str, str]) -> tuple[int, int]:
    """The user and group that root is asked to become, 1000 if nobody said."""
    numbers = []
    for name in ("NB_UID", "NB_GID"):
        given = env.get(name) or "1000"
        if not given.isascii() or not given.isdigit() or int(given) >= 2**32 - 1:
            raise StartError(
                UNKNOWN_SETTING,
                f"{name}={given} is not a user's number.",
                "It has to be a whole number, such as the one that 'id -u' or 'id -g' prints.",
                f"start again with -e {name}=1000",
            )
        numbers.append(int(given))
    return numbers[0], numbers[1]


def may_become(uid: int) -> bool:
    """Whether this is a root that can turn into that user, or, when root is to stay root, give up its powers."""
    if os.geteuid() != 0:
        return False
    return has_capabilities(CAP_SETPCAP) if uid == 0 else has_capabilities(CAP_SETUID, CAP_SETGID)


def becoming(uid: int, gid: int, command: Sequence[str]) -> list[str]:
    """The command that runs as that user, with no powers and no way back to them."""
    who = ["--reuid", str(uid), "--regid", str(gid), "--clear-groups"]
    bound = ["--bounding-set=-all"] if has_capabilities(CAP_SETPCAP) else []
    return ["setpriv", *who, *bound, "--inh-caps=-all", "--no-new-privs", "--", *command]


def name_myself(home: str, folder: Path = EXTRA_USERS) -> str:
    """Give this user's number a name, so that shells, getpass and ssh know who it is."""
    uid, gid = os.getuid(), os.getgid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        pass
    (folder / "passwd").write_text(f"desi:x:{uid}:{gid}:DESI Lab:{home}:/bin/bash\n", encoding="ascii")
    (folder / "group").write_text(f"desi:x:{gid}:\n", encoding="ascii")
    return "desi"
