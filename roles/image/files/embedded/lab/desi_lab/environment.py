# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment that DESI software expects, for one release below one data folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from desi_lab.errors import UNKNOWN_SETTING, StartError
from desi_lab.releases import Release

NERSC = Path("/global/cfs/cdirs/desi")
SYNCED = Path("/home/synced")
LOADED = "DESI_LAB_ENVIRONMENT"


def flag(env: Mapping[str, str], name: str) -> bool:
    """Whether a switch such as DESI_LAB_SYNTHETIC is on."""
    return env.get(name, "").strip().lower() not in ("", "0", "false", "no")


def data_folder(env: Mapping[str, str]) -> Path:
    """Where the data are: DESI_DATA, or DESI_BUCKET as older images call it."""
    return Path(env.get("DESI_DATA") or env.get("DESI_BUCKET") or "/home/desibucket")


def port(env: Mapping[str, str]) -> int:
    """The port that the server listens on inside the container."""
    given = env.get("JUPYTER_PORT") or "8888"
    if given.isascii() and given.isdigit() and 0 < int(given) < 65536:
        return int(given)
    raise StartError(
        UNKNOWN_SETTING,
        f"JUPYTER_PORT={given} is not a port.",
        "It has to be a whole number from 1 to 65535.",
        "start again without it: the server then listens on 8888",
    )


def problem(place: Path) -> str:
    """Why that place cannot be used, empty if it can: a dead mount is as bad as nothing, and says so."""
    try:
        place.stat()
    except OSError as error:
        return error.strerror or "unknown error"
    return ""


def first_existing(bucket_like: Path, nersc_like: Path) -> Path:
    """The bucket keeps raw data and targets beside the releases, NERSC inside each: take the one that is there."""
    return nersc_like if problem(bucket_like) and not problem(nersc_like) else bucket_like


def software(env: Mapping[str, str], home: Path, data: Path) -> dict[str, Path]:
    """What is no Python package, where it is: DESI's programs say plainly what they miss, if a variable is not set."""
    synced = Path(env.get("SYNCED") or SYNCED)
    hubs = [Path(env["DESI_HUB"])] if env.get("DESI_HUB") else [synced / "desihub", home / "desihub"]
    places = {
        "DESI_HUB": hubs,
        "DESIMODEL": [hub / "desimodel" for hub in hubs],
        "RR_TEMPLATE_DIR": [*(hub / "redrock-templates" for hub in hubs), data / "redrock-templates"],
    }
    there = {name: [place for place in some if place.is_dir()] for name, some in places.items()}
    return {name: found[0] for name, found in there.items() if found}


def derive(env: Mapping[str, str], release: Release, data: Path) -> dict[str, str]:
    """Every variable that the lab sets. What was given to the container by hand stays as given."""
    root = Path(env.get("DESI_ROOT") or data / release.name)
    home = Path(env.get("HOME") or "/home/desi")
    variables: dict[str, str | Path] = {
        "DESI_DATA": data,
        "DESI_DATA_CACHE": "/var/cache/desidata",
        "DESI_ROOT": root,
        "DESI_ROOT_READONLY": root,
        "DESI_SPECTRO_REDUX": root / "spectro/redux",
        "DESI_SPECTRO_CALIB": root / "spectro/desi_spectro_calib",
        "DESI_SPECTRO_DATA": first_existing(data / "raw_spectro_data", root / "spectro/data"),
        "DESI_TARGET": first_existing(data / "target", root / "target"),
        "DESI_SURVEYOPS": root / "survey/ops/surveyops/trunk",
        "DESI_NERSC": NERSC,
        "DESI_DATA_NERSC": NERSC / "public",
        "SPECPROD": release.specprod,
        "SCRATCH": home / "scratch",
        "SYNCED": SYNCED,
        **software(env, home, data),
    }
    kept = {name: env[name] for name in ("DESI_HUB", "DESIMODEL", "RR_TEMPLATE_DIR") if env.get(name)}
    result = {name: env.get(name) or os.fspath(value) for name, value in variables.items()}
    return {**result, **kept, "DESI_RELEASE": release.name, LOADED: "1"}


def as_shell(variables: Mapping[str, str]) -> str:
    """The same variables as lines that any shell can read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
