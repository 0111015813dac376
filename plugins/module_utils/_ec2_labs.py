# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""The labs on EC2, as their tags tell. There is no other record of them."""

from __future__ import annotations

import re
import typing as t

PREFIX = "desi-lab:"
NAME_TAG = f"{PREFIX}name"
OWNER_TAG = f"{PREFIX}owner"
OS_TAG = f"{PREFIX}os"
RELEASE_TAG = f"{PREFIX}release"
ACCESS_TAG = f"{PREFIX}access"
PORT_TAG = f"{PREFIX}port"
TITLE_TAG = "Name"
"""What the AWS console shows as a thing's name."""

# Tools that were given no name for a session make one from the time, so it would be another one in each run.
_SESSION_OF_THE_MOMENT = re.compile(r"(?:.*\D)?\d{10,}")


def owner_of(arn: str) -> str:
    """Return whose a lab is, from the ARN that AWS gives its caller: a user's name, or role and session.

    An ARN that cannot be read is an empty owner, which owns nothing.
    """
    parts = str(arn).split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return ""
    kind, _slash, rest = parts[5].partition("/")
    if kind == "user":
        # A user's name is unique in the account, whatever path stands before it.
        return rest.rsplit("/", 1)[-1]
    if kind == "assumed-role":
        role, _slash, session = rest.partition("/")
        return role if not session or _SESSION_OF_THE_MOMENT.fullmatch(session) else f"{role}/{session}"
    return parts[5]


def lab_tags(name: str, owner: str, extra: t.Mapping[str, t.Any] | None = None) -> dict[str, str]:
    """Return the tags of a thing that belongs to a lab.

    ``extra`` has more of them, by what comes after our prefix (``os``) or by their whole name (``desi-lab:os``).
    """
    whole = (*(key for key in extra or {} if ":" in key), TITLE_TAG)
    more = {key if key in whole else f"{PREFIX}{key}": str(value) for key, value in (extra or {}).items()}
    return {**more, NAME_TAG: name, OWNER_TAG: owner, TITLE_TAG: f"desi-lab-{name}"}


def as_tag_list(tags: t.Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the form that the EC2 API takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(thing: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the tags of a thing, as the EC2 API gives it or as a module of amazon.aws does."""
    # A network interface has its tags under a name of its own.
    tags = thing.get("Tags") or thing.get("TagSet") or thing.get("tags") or {}
    if isinstance(tags, t.Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags if isinstance(tag, t.Mapping) and "Key" in tag}


def is_ours(thing: t.Mapping[str, t.Any], name: str, owner: str) -> bool:
    """Return whether a thing belongs to this lab of this owner. Whatever else it is called does not count."""
    tags = tags_of(thing)
    return bool(name and owner) and tags.get(NAME_TAG) == name and tags.get(OWNER_TAG) == owner


def our_filters(owner: str, name: str = "") -> list[dict[str, t.Any]]:
    """Return the filters by which the EC2 API finds what belongs to a lab; without a name, to any lab of the owner.

    They may find more, because they read an asterisk and a question mark as anything: ask is_ours of what they find.
    """
    named = {"Name": f"tag:{NAME_TAG}", "Values": [name]} if name else {"Name": "tag-key", "Values": [NAME_TAG]}
    return [named, {"Name": f"tag:{OWNER_TAG}", "Values": [owner]}]
