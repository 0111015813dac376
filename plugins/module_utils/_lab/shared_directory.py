# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that may be shared with notebooks: work, but no keys, programs or system."""

from __future__ import annotations

import dataclasses
import re
import typing as t
import unicodedata
from pathlib import PurePosixPath

from .._common.errors import LabError
from .._common.text import shell_path

# Where a lab has the directory that is shared with it.
SYNCED = "/home/synced"
# Never shared, nor anything below, even for homes below.
SYSTEM = (
    *("/bin", "/boot", "/cores", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/sbin"),
    *("/snap", "/sys", "/usr"),
    # On macOS, /etc is a link into /private.
    *("/Applications", "/Library", "/Network", "/System", "/private/etc"),
    *("/private/var/db", "/private/var/run"),
)
# These also contain homes, temporary directories and disks, which are in the second list.
SYSTEM_WITH_ROOM = ("/private", "/run", "/var")
ROOM = (
    *("/private/tmp", "/private/var/folders", "/private/var/tmp"),
    *("/run/media", "/var/folders", "/var/home", "/var/tmp"),  # noqa: S108 - named, not used
)
# They contain what belongs to other people or the system.
TOPS = (*("/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/Users", "/Volumes"), *ROOM)  # noqa: S108 - as above
# Directories of DESI Lab outside of homes.
PRODUCT = ("/usr/local/lib/desi-lab", "/var/cache/desi-lab", "/var/lib/desi-lab")
# Names that mark a directory with keys, or with what runs at log-in.
HOLDS_CREDENTIALS = (
    *(".aws", ".azure", ".gnupg", ".kube", ".password-store", ".ssh"),
    *(".git-credentials", ".netrc", ".pgpass"),
    *(".bash_login", ".bash_profile", ".bashrc", ".profile", ".zprofile", ".zshenv", ".zshrc"),
)
# Wherever they are.
CREDENTIALS = (".aws", ".azure", ".docker", ".gnupg", ".kube", ".password-store", ".ssh")
# In a home, besides all hidden names.
OF_A_HOME = ("AppData", "Library", "bin", "snap")
# In a home, the parent of labs' own directories.
LABS = "desi-labs"
# Homes of unknown users. In WSL, /mnt/c is the disk of Windows.
SOMEBODYS_HOME = re.compile(
    r"/(root|(var/)?home/[^/]+|Users/[^/]+|private/var/root|mnt/[a-z]/Users/[^/]+)(?=/)", re.IGNORECASE
)
WINDOWS = re.compile(r"/mnt/[a-z](/(Users|(ProgramData|Program Files[^/]*|Windows)(/.*)?))?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Around:
    """What must not be shared on a computer. All paths are real paths."""

    homes: tuple[str, ...] = ()
    # Directories of DESI Lab itself, and of what runs it.
    programs: tuple[str, ...] = ()
    # Directories of settings, keys, caches and state.
    private: tuple[str, ...] = ()
    any_case: bool = False


def why_not_shared(path: str, holds: t.Iterable[str], around: Around, system: bool = True) -> str:
    """Return why a directory must not be shared, as a sentence, or an empty string.

    ``path`` is its real path, ``holds`` are the names of what lies directly in it. Without ``system``, it may lie among
    the system's folders, as data do that are only read.
    """
    there = _Place(path, around.any_case)
    homes = [home for home in around.homes if home != "/"]
    if there.parts == ():
        return "It is the whole computer."
    for home in homes:
        if there.path == f"{home}/{LABS}":
            return "It holds the folders of all labs."
        if there.holds(home):
            same = there.is_in(home)
            return "It is a home, with all that is in it." if same else f"It holds the home {home}."
    for directory in around.programs:
        if there.meets(directory):
            return f"It {there.relation(directory)} {directory}, from which DESI Lab runs."
    for directory in (*PRODUCT, *around.private):
        if there.meets(directory):
            return f"It {there.relation(directory)} {directory}, where settings, keys or data of programs are."
    return (_of_the_system(there, homes) if system else "") or _of_a_person(there, homes, holds)


def _of_the_system(there: _Place, homes: t.Sequence[str]) -> str:
    for directory in SYSTEM:
        if there.meets(directory):
            return f"It {there.relation(directory)} {directory}, which is the system's."
    for directory in (*TOPS, *SYSTEM_WITH_ROOM):
        if there.holds(directory):
            return f"It {there.relation(directory)} {directory}, which holds more than your work."
    has_room = any(there.is_in(directory) for directory in (*ROOM, *homes))
    for directory in SYSTEM_WITH_ROOM:
        if there.is_in(directory) and not has_room:
            return f"It lies in {directory}, which is the system's."
    if WINDOWS.fullmatch(there.path):
        return "It is a folder of Windows itself."
    return ""


def _of_a_person(there: _Place, homes: t.Sequence[str], holds: t.Iterable[str]) -> str:
    somebodys = SOMEBODYS_HOME.match(there.path + "/")
    if somebodys and there.holds(somebodys[0]):
        return "It is somebody's home, with all that is in it."
    for home in [*homes, *([somebodys[0]] if somebodys else [])]:
        below = there.below(home)
        if below and (below[0].startswith(".") or below[0] in map(there.fold, OF_A_HOME)):
            return f"It lies in {home}/{below[0]}, where settings, keys or programs are."
    for part in there.parts:
        if part in map(there.fold, CREDENTIALS):
            return f"It lies in a folder {part}, where keys are."
    held = sorted({there.fold(name) for name in holds} & set(map(there.fold, HOLDS_CREDENTIALS)))
    if held:
        return f"It holds {held[0]}, so it is a home, or keys lie in it."
    return ""


class _Place:
    """A path, compared with others."""

    def __init__(self, path: str, any_case: bool) -> None:
        self.path, self.any_case = path, any_case
        self.parts = self._parts(path)

    def fold(self, text: str) -> str:
        """Return a name as the file system compares it."""
        return unicodedata.normalize("NFC", text).casefold() if self.any_case else text

    def _parts(self, path: str) -> tuple[str, ...]:
        return PurePosixPath(self.fold(path)).parts[1:]

    def below(self, directory: str) -> tuple[str, ...]:
        """Return the parts of this path below a directory that contains it."""
        parts = self._parts(directory)
        return self.parts[len(parts) :] if self.parts[: len(parts)] == parts else ()

    def is_in(self, directory: str) -> bool:
        """Return whether this path is the directory or below it."""
        parts = self._parts(directory)
        return self.parts[: len(parts)] == parts

    def holds(self, directory: str) -> bool:
        """Return whether this path is the directory or above it."""
        return self._parts(directory)[: len(self.parts)] == self.parts

    def meets(self, directory: str) -> bool:
        """Return whether one contains the other."""
        return self.is_in(directory) or self.holds(directory)

    def relation(self, directory: str) -> str:
        """Return the relation to a directory, as a verb."""
        if self.is_in(directory):
            return "is" if self.holds(directory) else "lies in"
        return "holds"


HAS = "The lab has this one since it was made. To share another one, say -e lab_folder=/path."


def choose(
    asked: str, standing: str, own: str, only_own: bool, why: t.Callable[[str], str], has: str = ""
) -> tuple[str, str]:
    """Return the directory to share, and why it is not the current one, if so.

    Whatever ``asked`` names is taken as it is; whether it may be shared, the caller sees to. A lab keeps the directory
    that it ``has``, wherever somebody stands. One that verb demo has chosen is only demo's.
    """
    if asked:
        return asked, ""
    if has and not only_own and has != str(PurePosixPath(own).with_name("demo")):
        return has, "" if has == standing else HAS
    if only_own or not standing:
        return own, ""
    reason = why(standing)
    return (own, reason) if reason else (standing, "")


def refusal(asked: str, real: str, why: str, own: str) -> LabError:
    """Return the error for a directory that must not be shared; ``own`` is one that may be."""
    leads = f" (it leads to {real})" if real != asked else ""
    instead = "Give another one: -e lab_folder=/path."
    if asked != own:
        path = shell_path(own)
        instead = f"Make a folder for your work and share that: mkdir -p {path}, then -e lab_folder={path}."
    return LabError(
        f"The folder {asked}{leads} is not shared with notebooks.",
        f"{why} Each notebook in the lab could read and change all of it.",
        f"{instead} To share this one anyway, add -e lab_folder_anyway=true.",
    )


def refusal_of_data(asked: str, real: str, why: str) -> LabError:
    """Return the error for a data directory that must not be shared."""
    leads = f" (it leads to {real})" if real != asked else ""
    return LabError(
        f"The data in {asked}{leads} are not shared with notebooks.",
        f"{why} Each notebook in the lab could read all of it.",
        "Give the folder that holds the releases and nothing else: -e lab_data=/path. "
        "To share this one anyway, add -e lab_folder_anyway=true.",
    )


def refusal_of_cache(cache: str, directory: str) -> LabError:
    """Return the error for a directory of streamed data that holds the one to share."""
    return LabError(
        f"The setting lab_cache={cache} cannot work.",
        f"It holds your folder {directory}, and streamed data have a folder that holds nothing else.",
        "Give it a folder of its own: -e lab_cache=/scratch/desi-lab.",
    )
