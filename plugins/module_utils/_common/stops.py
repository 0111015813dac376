# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a machine stops by itself, as people are told."""

from __future__ import annotations


def stops_when(idle_minutes: float, max_hours: float) -> str:
    """Return when a machine stops by itself. 0 means that it does not for that."""
    idle = amount(idle_minutes, "idle minute")
    longest = amount(max_hours, "hour")
    if idle and longest:
        return f"stops by itself after {idle}, and anyway after {longest}"
    if idle:
        return f"stops by itself after {idle}; as long as it is used it runs, and costs, without end"
    if longest:
        return f"stops by itself after {longest}, used or not, and not before"
    return "never stops by itself: it runs, and costs, until you stop it or ./lab down takes it away"


def amount(number: float, unit: str) -> str:
    """Return so many of a unit; nothing of none."""
    value = float(number)
    return f"{value:g} {unit}{'' if value == 1 else 's'}" if value else ""
