# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one shape in which anything of DESI Lab says that it cannot go on."""

from __future__ import annotations


class LabError(Exception):
    """What happened, why, and what to do next: a sentence each, for a person.

    Modules raise it anywhere and turn it into a failure once, in main():
    ``module.fail_json(**error.as_result())``.
    """

    def __init__(self, what: str, why: str, do: str) -> None:
        super().__init__(what, why, do)
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        return f"What  {self.what}\nWhy   {self.why}\nDo    {self.do}"

    def as_result(self) -> dict[str, str]:
        """Return the failure as the keyword arguments of ``fail_json``."""
        return {"msg": str(self), "what": self.what, "why": self.why, "do": self.do}
