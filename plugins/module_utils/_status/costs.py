# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The present, past and monthly costs of a lab on EC2."""

from __future__ import annotations

import typing as t

from .._aws.pricing import HOURS_A_MONTH, Cost
from .._common.humanize import HOUR, MINUTE

# From the creation of a disk until the launch of its instance.
_A_LAUNCH = 10 * MINUTE


class Ran(t.NamedTuple):
    """When an instance was launched, last started, and stopped; None is unknown, or not yet."""

    made: float | None
    started: float | None
    stopped: float | None
    runs: bool


def costs(ran: Ran, cost: Cost, spot: bool, now: float) -> dict[str, t.Any]:
    """Return the costs in USD; None is unknown."""
    so_far, how = spent(ran, cost, now)
    if cost.month_stopped is None:
        month = None
    elif ran.runs:
        month = None if cost.hour is None else round(cost.hour * HOURS_A_MONTH, 2)
    else:
        month = cost.month_stopped
    disk_hour = None if cost.month_stopped is None else round(cost.month_stopped / HOURS_A_MONTH, 4)
    if spot and ran.runs:
        how = f"{how}; a spot machine costs less than this".lstrip("; ")
    return {
        "usd_hour": cost.hour if ran.runs else disk_hour,
        "usd_so_far": so_far,
        "usd_so_far_how": how,
        "usd_month": month,
        "prices": f"{cost.date}, {cost.source}" if cost.date else "",
    }


def spent(ran: Ran, cost: Cost, now: float) -> tuple[float | None, str]:
    """Return the money spent, and how that is known.

    AWS tells when a machine was started last and when its disk was made. Of runs in between it keeps no record.
    """
    if ran.started is None or cost.hour is None or cost.month_stopped is None:
        return None, ""
    made = ran.started if ran.made is None else ran.made
    disk_hour = cost.month_stopped / HOURS_A_MONTH
    end = now if ran.runs else ran.stopped
    hours = max(0.0, (end - ran.started) / HOUR) if end is not None else 0.0
    usd = (cost.hour - disk_hour) * hours + disk_hour * max(0.0, (now - made) / HOUR)
    if end is not None and ran.started - made < _A_LAUNCH:
        how = "estimate: its hours since the launch, and its disk since then"
    else:
        how = "at least: its disk since the launch, and the hours of its last run; AWS keeps no record of earlier ones"
    return round(usd, 2), how
