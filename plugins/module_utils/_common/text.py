# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make untrusted text safe for a terminal, and find what a typo meant."""

from __future__ import annotations

import difflib
import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_COLOR = re.compile(r"(\x1b\[[0-9;]{0,12}m)")
# Those of terminals, and letters that show nothing, or change the order in which others are shown.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def clean(text: str) -> str:
    """Remove escapes, control and invisible characters; a carriage return begins a new line."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    return _CONTROLS.sub("", text)


def printable(text: str) -> str:
    """Remove control and invisible characters except line feeds, tabs, and colors."""
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


def nearest(word: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return the known words that somebody who typed ``word`` most likely meant, the likeliest first."""
    word = word.lower()
    found = difflib.get_close_matches(word, list(known), n=most + 4, cutoff=cutoff)

    def likeness(other: str) -> tuple[float, int]:
        # Of two that are equally alike, the one that begins as the word does is meant.
        return difflib.SequenceMatcher(None, other, word).ratio(), len(posixpath.commonprefix([other, word]))

    return sorted(found, key=likeness, reverse=True)[:most]


def setting_option(name: str, value: str) -> str:
    """Return a setting as the option that one types.

    It is JSON where a shell, or whatever splits NAME=VALUE, would read more than one value: it may be a stranger's.
    """
    plain = re.fullmatch(r"[\w.:/@,+-]*", value)
    return f"-e {name}={value}" if plain else f"-e {shlex.quote(json.dumps({name: value}))}"


def name_option(lab: str) -> str:
    """Return the option that a command for a lab needs; empty for the lab that is meant without one."""
    return "" if lab == "desi" else f" {setting_option('lab_name', lab)}"


def shell_path(path: object) -> str:
    """Return a path as one types it: in quotes where it needs them, though not the ~ that it begins with."""
    home, slash, rest = str(path).partition("/")
    is_home = re.fullmatch(r"~[\w.-]*", home)
    return f"{home}{slash}{shlex.quote(rest) if rest else ''}" if is_home else shlex.quote(str(path))
