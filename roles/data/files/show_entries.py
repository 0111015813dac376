# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for a mount, and show its entries beside it as relative links. Runs in the container that mounts.

Arguments: the directory around the mount, the name of the mount in it, and how many seconds to wait.
"""

import json
import sys
import time
from pathlib import Path


def entries_of(mount: Path, seconds: float) -> list[str]:
    """Return the names in a mount as soon as there are any; none if the time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            names = [entry.name for entry in mount.iterdir()] if mount.is_mount() else []
        except OSError:
            names = []
        if names or time.monotonic() > end:
            return sorted(names)
        time.sleep(0.2)


def show(place: Path, hidden: str, names: list[str]) -> bool:
    """Lay a link for each name, remove those that are too many, and return whether something changed."""
    desired = {name: f"{hidden}/{name}" for name in names if name != hidden}
    there = {entry.name: str(entry.readlink()) for entry in place.iterdir() if entry.is_symlink()}
    for name in there.keys() - desired.keys():
        (place / name).unlink()
    for name in desired.keys() - there.keys():
        (place / name).symlink_to(desired[name])
    return there != desired


def main(place: str, hidden: str, seconds: str) -> int:
    """Tell the entries and whether links changed, as JSON."""
    names = entries_of(Path(place, hidden), float(seconds))
    print(json.dumps({"entries": names, "changed": bool(names) and show(Path(place), hidden, names)}))
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
