# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a setting of a lab one that can work, beyond its type."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import posixpath
import re
import typing as t
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import parse_size
from ansible_collections.desi.lab.plugins.module_utils._docker.limits import check_cpus, check_memory
from ansible_collections.desi.lab.plugins.plugin_utils._images import image_source
from ansible_collections.desi.lab.plugins.plugin_utils._settings_ec2 import check_ec2_values

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# What a lab's own helpers are called after it, so that no other lab may be called the same.
RESERVED_NAME = re.compile(r"mount-.*|.*-sample")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
NUMBER = re.compile(r"[0-9]{1,9}")
PORTS = range(1, 65536)
DATA_WORDS = ("s3", "sample")


def nearest(word: str, known: t.Iterable[str]) -> str | None:
    """Return the known word that somebody who typed ``word`` most likely meant, if any is near."""
    word = word.lower()
    found = difflib.get_close_matches(word, list(known), n=5, cutoff=0.6)

    def likeness(other: str) -> tuple[float, int]:
        # Of two that are alike in the same measure, it is the one that begins as the word does.
        return difflib.SequenceMatcher(None, other, word).ratio(), len(posixpath.commonprefix([other, word]))

    return max(found, key=likeness, default=None)


def check_names(given: t.Iterable[str], known: t.Collection[str]) -> None:
    """Refuse the first setting that does not exist, and name the one that was probably meant."""
    for name in sorted(set(given) - set(known)):
        meant = nearest(name, known)
        hint = f"say -e {meant}=… if that is what you meant" if meant else "see the table of settings in README.md"
        raise LabError(
            f"There is no setting {name}.",
            f"The nearest one is {meant}." if meant else "No setting has a name like it.",
            f"{hint[0].upper()}{hint[1:]}.",
        )


def check_own(typed: t.Iterable[str], own: t.Collection[str]) -> None:
    """Refuse a name that DESI Lab gives itself: whoever set it could lead a run to other keys."""
    for name in sorted(set(typed) & set(own)):
        raise LabError(
            f"There is no setting {name}.",
            "DESI Lab works that out itself.",
            "Leave it out; the table of settings is in README.md.",
        )


def _wrong(name: str, value: object, why: str, do: str) -> LabError:
    return LabError(f"The setting {name}={value} cannot work.", why, do)


def check_lab_name(value: str) -> None:
    """Refuse a name that Docker, a path or a tag could not carry."""
    do = "Choose such a name, for example -e lab_name=desi2."
    if not NAME.fullmatch(value):
        why = "A name has lower-case letters, digits and dashes, at most 40, and begins with a letter or digit."
        raise _wrong("lab_name", value, why, do)
    if RESERVED_NAME.fullmatch(value):
        why = "Names that begin with mount- or end with -sample are kept for what belongs to another lab."
        raise _wrong("lab_name", value, why, "Choose another name, for example -e lab_name=desi2.")


def check_release(value: str, data: str, releases: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Refuse a release that is not in the table, or that the public bucket does not have yet."""
    entry = releases.get(value.lower())
    if entry is None:
        why = f"The releases known are {', '.join(releases)}."
        raise _wrong("lab_release", value, why, "Choose one of them, for example edr.")
    if data in DATA_WORDS and not entry["public"]:
        raise _wrong(
            "lab_release",
            value,
            f"The release {value.lower()} is not public yet, so neither the bucket nor the sample has it.",
            "Choose a public release, or give the folder of your own copy with -e lab_data=/path.",
        )


def check_data(value: str) -> None:
    """Refuse a data source that is neither a word nor an absolute path."""
    if value in DATA_WORDS:
        return
    if value.lower() in DATA_WORDS:
        raise _wrong("lab_data", value, "The word has lower-case letters.", f"Write -e lab_data={value.lower()}.")
    if not value:
        do = "Leave it out to stream the public data, or give a path: -e lab_data=/path."
        raise _wrong("lab_data", value, "It is empty.", do)
    _check_path("lab_data", value, "It is neither s3, nor sample, nor an absolute path.")


def check_folder(name: str, value: str) -> None:
    """Refuse a folder that Docker could not be given; an empty value is left to the default."""
    if value:
        _check_path(name, value, "It is not an absolute path.")


def _check_path(name: str, value: str, why_not_absolute: str) -> None:
    if not value.startswith("/"):
        # The quotes keep spaces together, but would keep a leading ~ from meaning the home folder.
        path = value if value.startswith("~") else f"'{value}'"
        raise _wrong(name, value, why_not_absolute, f'Give the whole path: -e {name}="$(realpath {path})".')
    if ":" in value:
        place = next(part for part in PurePosixPath(value).parts if ":" in part)
        why = "Docker cannot be given a path with a colon in it."
        raise _wrong(name, value, why, f"Rename the folder {place}, or choose another.")


def check_bind(value: str) -> None:
    """Refuse what is not an IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise _wrong(
            "lab_bind", value, "It is not an IP address.", "Leave it out: the lab is then open to this computer alone."
        ) from None


def check_port(name: str, value: object) -> None:
    """Refuse what is not a TCP port."""
    text = str(value)
    if not NUMBER.fullmatch(text) or int(text) not in PORTS:
        raise _wrong(name, value, "A port is a number from 1 to 65535.", f"Choose another, for example -e {name}=8889.")


def check_endpoint(value: str) -> None:
    """Refuse an endpoint that is not the URL of a server."""
    if not value:
        return
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        parts, sound = urlsplit(""), False
    if parts.username or parts.password:
        # The value is not repeated: it holds a secret.
        raise LabError(
            "The setting lab_endpoint cannot work.",
            "It holds a user name or a password, and everybody who can list processes would see them.",
            "Give the address alone, for example -e lab_endpoint=https://server.",
        )
    if not sound or re.search(r"\s", value) or parts.query or parts.fragment:
        raise _wrong(
            "lab_endpoint",
            value,
            "It is not the URL of an S3 server.",
            "Give it as https://server or http://server:port, or leave it out for AWS.",
        )


def check_bucket(value: str) -> None:
    """Refuse what S3 does not take as the name of a bucket."""
    if not BUCKET.fullmatch(value):
        raise _wrong(
            "lab_bucket",
            value,
            "A bucket's name has 3 to 63 lower-case letters, digits, dots and dashes.",
            "Give the bare name, without s3:// and without a folder; the folder goes into lab_prefix.",
        )


def check_cache_max(value: str) -> None:
    """Refuse a size that cannot be read."""
    if not value:
        return
    try:
        parse_size(value)
    except ValueError:
        raise _wrong(
            "lab_cache_max", value, "It is not a size.", "Give a number and a unit, for example -e lab_cache_max=50GiB."
        ) from None


def check_image(value: str) -> None:
    """Refuse what can be neither pulled nor built. Short names look like references, so the table is not needed."""
    image_source(value, {})


# What is wrong with a value by itself; each check is given the value as a text.
CHECKS: dict[str, t.Callable[[str], None]] = {
    "lab_name": check_lab_name,
    "lab_data": check_data,
    "lab_folder": functools.partial(check_folder, "lab_folder"),
    "lab_cache": functools.partial(check_folder, "lab_cache"),
    "lab_image": check_image,
    "lab_bind": check_bind,
    "lab_port": functools.partial(check_port, "lab_port"),
    "lab_container_port": functools.partial(check_port, "lab_container_port"),
    "lab_endpoint": check_endpoint,
    "lab_bucket": check_bucket,
    "lab_cache_max": check_cache_max,
    "lab_memory": check_memory,
    "lab_cpus": check_cpus,
}


def check_values(values: t.Mapping[str, t.Any], releases: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Refuse the first value that cannot work. ``values`` holds settings by name, as people gave them."""
    for name, check in CHECKS.items():
        if name in values:
            check(str(values[name]))
    check_ec2_values(values)
    if "lab_release" in values:
        check_release(str(values["lab_release"]), str(values.get("lab_data", "s3")), releases)
