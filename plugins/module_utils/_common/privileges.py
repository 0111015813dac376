# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Act as another user where root works in that user's directories, which may hold links."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .users import groups_of

Owner = t.Optional[t.Tuple[int, int]]  # noqa: UP006 - evaluated by Python 3.9, too


@contextlib.contextmanager
def as_owner(owner: Owner) -> t.Iterator[None]:
    """Act as a UID and a GID with their groups; without root, as oneself."""
    if owner is None or os.geteuid() != 0 or owner[0] == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups(groups_of(*owner))
    os.setegid(owner[1])
    os.seteuid(owner[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@contextlib.contextmanager
def as_caller(environment: t.Mapping[str, str]) -> t.Iterator[None]:
    """Do something with the rights of the person behind sudo, where there is one."""
    uid, gid = environment.get("SUDO_UID", ""), environment.get("SUDO_GID", "")
    with as_owner((int(uid), int(gid)) if uid.isdecimal() and gid.isdecimal() else None):
        yield
