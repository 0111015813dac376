# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An error that a person can do something about: what happened, why, and what to do."""

from __future__ import annotations

UNKNOWN_SETTING = 2
RELEASE_MISSING = 3
NO_DATA = 4


class StartError(Exception):
    """Ends the start with an exit code of its own and three plain lines."""

    def __init__(self, code: int, what: str, why: str, do: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        return f"  What  {self.what}\n  Why   {self.why}\n  Do    {self.do}"
