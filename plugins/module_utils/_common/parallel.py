# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run functions in parallel, and wait no longer than a bound for any of them."""

from __future__ import annotations

import threading
import time
import typing as t

from .errors import LabError


def side_by_side(
    parts: t.Mapping[str, t.Callable[[], t.Any]], seconds: float
) -> tuple[dict[str, t.Any], dict[str, LabError]]:
    """Return the results and the errors by name; a part that takes longer is in neither.

    Any other exception than LabError is raised.
    """
    results: dict[str, t.Any] = {}
    errors: dict[str, LabError] = {}
    faults: list[BaseException] = []

    def run(name: str, part: t.Callable[[], t.Any]) -> None:
        try:
            results[name] = part()
        except LabError as error:
            errors[name] = error
        except BaseException as error:
            faults.append(error)

    # Daemons, which no pool has: what hangs must not keep the process from ending.
    threads = [threading.Thread(target=run, args=item, daemon=True) for item in parts.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if faults:
        raise faults[0]
    return dict(results), dict(errors)
