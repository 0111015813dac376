# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""Take secrets out of text that a person is going to see. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

HIDDEN = "<hidden>"

# A name that ends in one of these, then '=' or ':' in any of the ways in which URLs, JSON and options write it.
_NAMED = re.compile(
    r"""(?P<name>(?:token|password|passwd|secret|(?:api|access|secret)[_-]?key)["']?\s*(?:[=:]|%(?:25)*3D)\s*["']?)"""
    r"""(?:(?:bearer|token|basic)\s+)?(?P<value>[^\s"'&<>]+)""",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"""(?P<name>\b(?:authorization|cookie)\b["']?\s*[:=]\s*["']?)(?P<value>[^\r\n"']+)""",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"token|password|passwd|secret|key", re.IGNORECASE)
# What Jupyter makes by itself is 48 hexadecimal digits; Docker's ids have 64 or 12.
_GENERATED = re.compile(r"(?<![0-9A-Fa-f])[0-9a-f]{48}(?![0-9A-Fa-f])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without the secrets named, and without whatever looks like one."""
    text = _CONTROL.sub("", text)
    # The longest first: a short secret may be a part of a long one.
    for secret in sorted({each for each in secrets if each}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _HEADER.sub(lambda match: match["name"] + HIDDEN, text)
    text = _NAMED.sub(lambda match: match["name"] + HIDDEN, text)
    return _GENERATED.sub(HIDDEN, text)


def secrets_among(environment: Mapping[str, str]) -> set[str]:
    """Return the values of an environment whose names say that they are secrets."""
    # A very short value is a part of so many words that hiding it would make the text unreadable.
    return {value for name, value in environment.items() if _SECRET_NAME.search(name) and len(value) > 3}
