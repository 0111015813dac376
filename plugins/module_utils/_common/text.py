# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make untrusted text safe for a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_COLOR = re.compile(r"(\x1b\[[0-9;]{0,12}m)")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Remove escapes and control characters; a carriage return begins a new line."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    return _CONTROLS.sub("", text)


def printable(text: str) -> str:
    """Remove control characters except line feeds, tabs, and colors."""
    return "".join(part if _COLOR.fullmatch(part) else _CONTROLS.sub("", part) for part in _COLOR.split(text))


def clean_all(value: object) -> object:
    """Clean each text in a structure."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: clean_all(entry) for key, entry in value.items()}
    return [clean_all(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def one_line(text: str) -> str:
    return clean(text).strip().replace("\n", " ")
