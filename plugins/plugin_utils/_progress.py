# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress messages from action plugins to the callback.

An action plugin sends these through Ansible's own Display, which carries them from the worker to the process with the
screen. There the callback desi.lab.steps knows them by their type. Any other callback sees text, or nothing.
"""

from __future__ import annotations

from typing import Any


class Underway(str):
    """What is under way at this moment: for the running line, gone with the next word."""

    __slots__ = ()


class Finished(str):
    """A part of a task that is done: a line that stays."""

    seconds: float
    good: bool

    def __new__(cls, name: str, seconds: float = 0, good: bool = True) -> Finished:
        line = super().__new__(cls, name)
        line.seconds, line.good = seconds, good
        return line

    def __reduce__(self) -> tuple[type[Finished], tuple[str, float, bool]]:
        return type(self), (str(self), self.seconds, self.good)


def display_progress(display: Any, word: Underway | Finished) -> None:  # noqa: ANN401  # Ansible's Display
    """Send a word to whoever shows what happens; what is under way is nothing for a screen that cannot take it back."""
    display.display(word, log_only=isinstance(word, Underway))
