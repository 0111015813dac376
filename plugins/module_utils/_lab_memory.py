# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""What the container of a lab remembers of how it was made, and what is said of a lab that there is none of."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.desi.lab.plugins.module_utils._labs import labels_of
from ansible_collections.desi.lab.plugins.module_utils._names import MAX_NAME, BadAnswer, mapping, strict_json, text

SETTINGS = "desi.lab.settings"
PREVIOUS = "desi.lab.previous"
MAX_BYTES = 65_536
_NAME = re.compile(r"lab_[a-z0-9_]{1,60}")
_ID = re.compile(r"sha256:[0-9a-f]{3,64}")


def remembered(container: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """Return the settings that a lab was made with, its image and the one before, from ``docker inspect``.

    A lab that was made before there was such a label remembers no settings. A label that says anything but settings,
    each a plain text, number or truth value, says nothing.
    """
    labels = labels_of(container or {})
    try:
        settings = settings_in(strict_json(str(labels.get(SETTINGS) or "{}"), MAX_BYTES))
    except BadAnswer:
        settings = {}
    return {
        "settings": settings,
        "image": _image((container or {}).get("Image")),
        "previous": _image(labels.get(PREVIOUS)),
    }


def settings_in(found: object) -> dict[str, t.Any]:
    """Return settings out of a document. Raises BadAnswer."""
    told = mapping(found, most=100)
    for name, value in told.items():
        if not _NAME.fullmatch(name):
            raise BadAnswer("it names what is no setting")
        if not isinstance(value, (bool, int)):
            text(value, MAX_NAME)
    return told


def _image(found: object) -> str:
    """Return the id of an image; nothing where it is none, because it is to be run."""
    return found if isinstance(found, str) and _ID.fullmatch(found) else ""


def no_such_lab(name: str, known: t.Iterable[str]) -> dict[str, t.Any]:
    """Return what to say of a lab that there is none of: what, why, and what to do; and the names that are near."""
    names = sorted(set(known) - {""})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    why = "This computer knows of no lab at all."
    do = "Make it with ./lab local or ./lab ec2."
    if names:
        told = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        why = f"The labs that this computer knows of are {told}." if len(names) > 1 else f"There is only {told}."
        do = "See which there are with ./lab status, or make it with ./lab local or ./lab ec2."
    if near:
        why += f" The nearest {'names are' if len(near) > 1 else 'name is'} {', '.join(near)}."
        do = f"Say -e lab_name={near[0]} if that is what you meant. ./lab status shows all of them."
    return {"what": f"There is no lab {name}.", "why": why, "do": do, "near": near}
