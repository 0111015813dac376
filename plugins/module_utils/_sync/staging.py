# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local side of a sync: an open directory and its private staging directory.

Copies lie in the state directory of whoever runs this, or beside the folder where that is another file system: nobody
else gets into either. Under sudo, what is done in the folder is done with the rights of the person it belongs to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import secrets
import stat
import typing as t
from pathlib import Path

from .._common.errors import LabError
from .._common.files import closing, open_below, open_directory, open_made, open_root_owned, remove_below
from .._common.privileges import Owner, as_owner
from . import agent

BESIDE = ".desi-lab-sync-"


class Here:
    """A local directory during one sync."""

    def __init__(self, path: str, ident: str, owner: Owner) -> None:
        self.path, self.ident, self.owner = path, ident, owner
        self.directory: int | None = None
        self.staging: int | None = None
        self.rooms: agent.Rooms | None = None
        self._place: tuple[int, str] | None = None

    def open(self) -> bool:
        """Open the directory; return whether it exists."""
        if self.directory is None:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._rights():
                self.directory = open_directory(self.path)
        return self.directory is not None

    def _rights(self) -> contextlib.AbstractContextManager[None]:
        """Act with the rights of the person, except where only root can write."""
        return as_owner(None if self.owner and _is_below_roots(self.path) else self.owner)

    def make(self) -> None:
        """Create the directory and its parents for the person."""
        if self.open():
            return
        with self._rights():
            self.directory = open_made(self.path, 0o755)
            if os.geteuid() == 0 and self.owner:
                os.fchown(self.directory, *self.owner)

    def answer(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """Serve a request like the agent on an instance."""
        if not self.open() or self.directory is None:
            return {"lines": [], "files": {}, "absent": True, "old": False}
        if request["do"] in ("prepare", "settle") and self.rooms is None:
            self._stage()
        if request["do"] == "settle":
            self._hand_over()
        with as_owner(self._acting()):
            return agent.do(request, self.directory, self.rooms)

    def _acting(self) -> Owner:
        # Only root can write in root's directory.
        return self.owner if self.directory is not None and os.fstat(self.directory).st_uid != 0 else None

    def _stage(self) -> None:
        directory = t.cast(int, self.directory)
        place = _own_place()
        name = self.ident
        if os.fstat(place).st_dev != os.fstat(directory).st_dev:
            beside = _beside(directory, self.ident)
            if beside:
                os.close(place)
                place, name = beside
        self._place = (place, name)
        self.staging = open_below(place, name, make=True, mode=agent.PRIVATE)
        about = os.fstat(self.staging)
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
            raise OSError(errno.EPERM, "It is not ours alone", name)
        acting = self._acting()
        self.rooms = agent.rooms_in(self.staging, list(acting) if acting and os.geteuid() == 0 else None)

    def _hand_over(self) -> None:
        """Give fetched files to the person; only root had access to them."""
        acting = self._acting()
        if os.geteuid() == 0 and self.rooms and acting and acting[0] != 0:
            _give(self.rooms.incoming, acting)

    def clear(self) -> None:
        """Remove the copies."""
        if self._place:
            remove_below(*self._place)

    def close(self) -> None:
        """Close all descriptors. Copies that were not put in place are kept for the next sync."""
        opened = [self.directory, self.staging, *(self.rooms or ()), *([self._place[0]] if self._place else [])]
        for descriptor in opened:
            if descriptor is not None:
                os.close(descriptor)
        self.directory = self.staging = self.rooms = self._place = None


def _is_below_roots(path: str) -> bool:
    """Return whether only root writes in the nearest existing parent of a path."""
    if os.geteuid() != 0:
        return False
    above = Path(path).absolute().parent
    while not above.exists():
        above = above.parent
    try:
        with closing(open_root_owned(str(above))) as found:
            # In a directory such as /tmp, everybody can create files.
            return not os.fstat(found).st_mode & 0o022
    except LabError:
        return False


def _own_place() -> int:
    """Return the private parent of all staging directories."""
    named, home = os.environ.get("XDG_STATE_HOME", ""), os.environ.get("HOME", "")
    usual = f"{home if home.startswith('/') else pwd.getpwuid(os.geteuid()).pw_dir}/.local/state"
    state = named if named.startswith("/") else usual
    if os.geteuid() != 0:
        return agent.open_own(state)
    # Under sudo these may belong to the caller, who can change them.
    for each in (state, f"{pwd.getpwuid(0).pw_dir}/.local/state"):
        with contextlib.suppress(LabError):
            with closing(open_root_owned(each, make=True, mode=agent.PRIVATE)) as above:
                place = open_below(above, "desi-lab/sync", make=True, mode=agent.PRIVATE)
            agent.forget_old(place)
            return place
    raise LabError(
        "The files cannot be synced.",
        "Root has no directory for copies that nobody else can change.",
        "Run it without sudo, or see that /root belongs to root.",
    )


def _beside(directory: int, ident: str) -> tuple[int, str] | None:
    """Return a private directory beside the folder, as its parent and name; None if there can be none.

    One that is left from a run that came to no end is taken again, if it is ours alone.
    """
    try:
        parent = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    try:
        if os.fstat(parent).st_dev != os.fstat(directory).st_dev:
            raise OSError
        start = f"{BESIDE}{ident}-"
        with os.scandir(parent) as found_there:
            names = [item.name for item in found_there if item.name.startswith(start)]
        for name in names:
            with contextlib.suppress(OSError):
                with closing(open_below(parent, name)) as found:
                    about = os.fstat(found)
                if about.st_uid == os.geteuid() and stat.S_IMODE(about.st_mode) == agent.PRIVATE:
                    return parent, name
        name = start + secrets.token_hex(8)
        os.mkdir(name, agent.PRIVATE, dir_fd=parent)
    except OSError:
        os.close(parent)
        return None
    return parent, name


def _give(here: int, owner: tuple[int, int]) -> None:
    with os.scandir(here) as found:
        items = list(found)
    for item in items:
        os.chown(item.name, *owner, dir_fd=here, follow_symlinks=False)
        if item.is_dir(follow_symlinks=False):
            with closing(open_below(here, item.name)) as below:
                _give(below, owner)
