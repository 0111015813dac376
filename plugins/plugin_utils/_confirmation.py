# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confirmation of what costs money or destroys."""

from __future__ import annotations

import dataclasses
import typing as t

YES = ("y", "yes")


class Interrupted(Exception):
    """The prompt was interrupted."""


class NobodyThere(Exception):
    """There is no terminal for a prompt."""


@dataclasses.dataclass(frozen=True)
class Consent:
    """An answer, and the reason and remedy of a no."""

    asked: bool
    answer: bool
    why: str = ""
    do: str = ""


def means_yes(typed: bytes) -> bool:
    """Return whether typed text is a yes; everything else is a no."""
    return typed.decode(errors="replace").strip().lower() in YES


def consent(assume_yes: bool, check_mode: bool, would: str, ask: t.Callable[[], bytes]) -> Consent:
    """Return whether to go on. ``would`` completes the sentence "This would ...", as in "delete the machine".

    Silence is a no: where nobody can be asked, only ``assume_yes`` goes on. In check mode nothing is done.
    """
    if assume_yes or check_mode:
        return Consent(asked=False, answer=True)
    try:
        agreed = means_yes(ask())
    except Interrupted:
        agreed = False
    except NobodyThere:
        return Consent(
            asked=False,
            answer=False,
            why=f"This would {would}, and nobody could be asked: there is no terminal to answer at.",
            do="If that is what you want, say so: -e lab_yes=true. In 0.1.0 no terminal was a yes; now it is a no.",
        )
    return Consent(asked=True, answer=agreed, why="" if agreed else "You did not say yes.")
