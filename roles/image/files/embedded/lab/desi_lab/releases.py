# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases that the lab knows. releases.json is their only home."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from desi_lab.errors import UNKNOWN_SETTING, StartError

TABLE = Path(__file__).resolve().parent.parent / "releases.json"


@dataclass(frozen=True)
class Release:
    """A data release: its folder's name, the production in it, and whether the public may read it yet."""

    name: str
    specprod: str
    public: bool


def known(table: Path = TABLE) -> dict[str, Release]:
    """Every release of the table, by its lower-case name."""
    rows = json.loads(table.read_text(encoding="utf-8"))["releases"]
    return {name: Release(name, row["specprod"], row["public"]) for name, row in rows.items()}


def default_name(table: Path = TABLE) -> str:
    """The release of those who do not name one."""
    return str(json.loads(table.read_text(encoding="utf-8"))["default"])


def requested(env: Mapping[str, str], table: Path = TABLE) -> Release:
    """The release that DESI_RELEASE names, whatever its case."""
    name = env.get("DESI_RELEASE", "").strip() or default_name(table)
    releases = known(table)
    if name.lower() not in releases:
        raise StartError(
            UNKNOWN_SETTING,
            f"There is no DESI release called {name!r}.",
            f"DESI_RELEASE has to be one of: {', '.join(releases)}.",
            f"start again with, say, -e DESI_RELEASE={default_name(table)}",
        )
    return releases[name.lower()]
