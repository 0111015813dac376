# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which builder a Dockerfile needs: BuildKit's is a plugin that many engines lack."""

from __future__ import annotations

import re

_CONTINUED = re.compile(r"\\[ \t]*\r?\n(?:[ \t]*#[^\n]*\n)*")
_SYNTAX = re.compile(r"\A(?:#[^\n]*\n)*#\s*syntax\s*=", re.IGNORECASE)
_OPTIONS = re.compile(
    r"^\s*(?:ONBUILD\s+)?(RUN|COPY|ADD)\s+(?:--\S+\s+)*?(--(?:mount|network|security|chmod|link|parents|exclude|checksum|keep-git-dir)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_HERE_DOCUMENT = re.compile(
    r"^\s*(?:ONBUILD\s+)?(RUN|COPY|ADD)\s[^\n#]*?(?<!<)<<-?(['\"]?)[A-Za-z_]\w*\2(?!<)", re.IGNORECASE | re.MULTILINE
)


def buildkit_reason(dockerfile: str) -> str:
    """Return what in a Dockerfile only BuildKit knows, empty if nothing is."""
    text = _CONTINUED.sub(" ", dockerfile)
    option = _OPTIONS.search(text)
    if option:
        return f"{option[1].upper()} {option[2].lower()}"
    return "a here-document (<<EOF)" if _here_document(text) else ""


def _here_document(text: str) -> bool:
    """Return whether an instruction has a here-document that is Docker's, and not a command's own on one line."""
    for found in _HERE_DOCUMENT.finditer(text):
        word = re.search(r"\w+", found[0].rpartition("<<")[2])
        if word and re.search(rf"^\s*{re.escape(word[0])}\s*$", text[found.end() :], re.MULTILINE):
            return True
    return False


def asks_for_buildkit(dockerfile: str) -> bool:
    """Return whether it is better built by BuildKit where that is."""
    return bool(_SYNTAX.match(dockerfile) or buildkit_reason(dockerfile))
