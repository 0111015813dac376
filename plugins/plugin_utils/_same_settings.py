# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that are written in another way and mean the same, so that the same lab stays the same."""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t
from pathlib import Path

from ..module_utils._common.humanize import parse_size
from ..module_utils._lab.labels import NAME, labels_of
from ._images import registry_of
from ._saved_settings import label_settings
from ._settings_resolve import PREFIX

PATHS = ("lab_cache", "lab_certificate", "lab_certificate_key", "lab_data", "lab_folder", "lab_image")
# Where a word alone is something else.
WORDS = ("lab_data", "lab_image")
SIZES = ("lab_cache_max", "lab_memory")
_SEEN = re.compile(r"\.{0,2}/|~|\.{1,2}$")
# It is refused as such.
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_LIBRARY = re.compile(r"^(index\.)?docker\.io/(library/)?|^library/")

Same = t.Callable[[str], object]


def normal_path(name: str, value: object, home: str, standing: str) -> t.Any:  # noqa: ANN401 - as given
    """Return the path that a setting gives, absolute and written as all paths are; anything else as it is.

    ``home`` is what ~ stands for, and ``standing`` is where relative paths begin.
    """
    if not isinstance(value, str) or not value or (name in WORDS and not _SEEN.match(value)) or _WINDOWS.match(value):
        return value
    try:
        path = home + value[1:] if home and re.match(r"~(/|$)", value) else str(Path(value).expanduser())
    except RuntimeError:  # there is nobody of that name
        return value
    if not path.startswith("/"):
        if not standing.startswith("/"):
            return value
        path = f"{standing}/{path}"
    if ".." in path.split("/"):
        # What lies before it may be a link.
        path = os.path.realpath(path)
    return lexical(path)


def lexical(path: str) -> str:
    """Return an absolute path without empty parts and single dots."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def as_saved(lab: t.Mapping[str, t.Any], container: t.Mapping[str, t.Any], here: bool = True) -> dict[str, t.Any]:
    """Return settings with those as a lab's container saved them that mean the same.

    Links are followed if the container is ``here``.
    """
    labels = labels_of(container or {})
    saved = label_settings(labels) if labels.get(NAME) == lab["name"] else {}
    short = {name.removeprefix(PREFIX): (name, value) for name, value in saved.items()}
    same = {key: value for key, (name, value) in short.items() if key in lab and means(name, lab[key], value, here)}
    # What the cache comes to, too.
    return {**lab, **same, **({"cache_folder": same["cache"]} if same.get("cache") else {})}


def means(name: str, one: object, other: object, here: bool = True) -> bool:
    """Return whether two values of a setting, written differently, mean the same."""
    if not (isinstance(one, str) and isinstance(other, str)) or one == other:
        return False
    return any(same(one) == same(other) for same in _ways(name, one, other, here))


def _ways(name: str, one: str, other: str, here: bool) -> list[Same]:
    if name in PATHS and one.startswith("/") and other.startswith("/"):
        return [lexical, *([os.path.realpath] if here else [])]
    if name == "lab_image":
        return [_reference]
    if name in SIZES and one and other:
        return [_or_itself(parse_size)]
    found = {"lab_bind": ipaddress.ip_address, "lab_prefix": lexical, "lab_endpoint": lambda url: url.rstrip("/")}
    return [_or_itself(found[name])] if name in found else []


def _or_itself(read: Same) -> Same:
    def value(text: str) -> object:
        try:
            return read(text)
        except ValueError:
            return text

    return value


def _reference(image: str) -> str:
    """Return an image reference with its registry and tag."""
    if registry_of(image) == "docker.io" or _LIBRARY.match(image):
        image = _LIBRARY.sub("", image)
    return image if re.search(r"[:@][^/]*$", image) else f"{image}:latest"
