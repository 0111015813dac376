# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user who is to own files, which under sudo is its caller."""

from __future__ import annotations

import contextlib
import os
import pwd
import typing as t


def person(environment: t.Mapping[str, str], uid: int, gid: int) -> dict[str, t.Any]:
    """Return the caller of sudo, or else the process's user.

    A UID without a name, as in some containers, is its own name, and ``/`` its home.
    """
    caller = environment.get("SUDO_UID", "")
    if uid == 0 and caller.isdecimal():
        uid, gid = int(caller), int(environment.get("SUDO_GID") or gid)
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return {"name": str(uid), "uid": uid, "gid": gid, "home": "/"}
    return {"name": entry.pw_name, "uid": entry.pw_uid, "gid": entry.pw_gid, "home": entry.pw_dir}


def name_of(uid: str) -> str:
    """Return the name of the user with a UID; of none, what is given."""
    with contextlib.suppress(KeyError, ValueError, OverflowError):
        return pwd.getpwuid(int(uid)).pw_name
    return uid


def groups_of(uid: int, gid: int) -> list[int]:
    """Return the GIDs of all groups of a user; of a UID without a name, the primary group."""
    try:
        return sorted(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except KeyError:
        return [gid]


def invoking_user() -> dict[str, t.Any]:
    """Return the user with ``groups``, and ``by_sudo``: whether root's rights here are not the user's."""
    found = person(os.environ, os.getuid(), os.getgid())
    groups = groups_of(found["uid"], found["gid"])
    return {**found, "groups": groups, "by_sudo": found["uid"] != os.getuid()}
