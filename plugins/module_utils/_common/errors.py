# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error of DESI Lab: what happened, why, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any


class LabError(Exception):
    """What happened, why, and the remedy, a sentence each. ``failing`` turns it into the failure of a module."""

    def __init__(self, what: str, why: str, do: str) -> None:
        super().__init__(what, why, do)
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        return f"What  {self.what}\nWhy   {self.why}\nDo    {self.do}"

    def as_result(self) -> dict[str, str]:
        """Return the keyword arguments of ``fail_json``."""
        return {"msg": str(self), "what": self.what, "why": self.why, "do": self.do}


def failure(errors: Sequence[LabError]) -> dict[str, Any]:
    """Return the failed result for one error or more; the callback shows each."""
    first = errors[0].as_result()
    if len(errors) == 1:
        return first
    return {**first, "msg": "\n\n".join(map(str, errors)), "errors": [error.as_result() for error in errors]}


@contextlib.contextmanager
def failing(module: Any, **more: Any) -> Iterator[None]:  # noqa: ANN401 - an AnsibleModule, and its results
    """Let a module fail with the LabError that is raised, and with ``more`` in its result."""
    try:
        yield
    except LabError as error:
        module.fail_json(**more, **error.as_result())
