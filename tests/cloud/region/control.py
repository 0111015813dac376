# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests ask the region itself, below /_region/."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from region.answers import Answer, as_json, as_text
from region.calls import Calls
from region.faults import BadRuleError, Faults
from region.schedules import let_time_pass

PREFIX = "/_region"


class Control:
    """The paths of the region."""

    def __init__(
        self,
        calls: Calls,
        faults: Faults,
        about: Callable[[], Mapping[str, Any]],
        machines: Callable[[], Any],
        changed: Callable[[], None],
        reset: Callable[[], None],
    ) -> None:
        self._calls = calls
        self._faults = faults
        self._about = about
        self._machines = machines
        self._changed = changed
        self._reset = reset

    def answer(self, environ: Mapping[str, Any], body: bytes) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"][len(PREFIX) :].strip("/")
        what, _, rest = path.partition("/")
        paths: Mapping[tuple[str, str], Callable[[], Answer]] = {
            ("GET", ""): lambda: as_json(self._about()),
            ("GET", "address"): lambda: as_text(environ.get("REMOTE_ADDR", "")),
            ("GET", "calls"): lambda: as_json(self._calls.all()),
            ("DELETE", "calls"): lambda: done(self._calls.forget),
            ("GET", "machines"): lambda: as_json(self._machines()),
            ("GET", "faults"): lambda: as_json(self._faults.all()),
            ("POST", "faults"): lambda: self._add(body),
            ("DELETE", "faults"): lambda: self._remove(rest),
            ("POST", "time"): lambda: self._pass(body),
            ("POST", "reset"): lambda: done(self._reset),
        }
        found = paths.get((method, what))
        return found() if found else as_text(f"The region has no {method} {PREFIX}/{path}.\n", 404)

    def _add(self, body: bytes) -> Answer:
        try:
            rules = json.loads(body)
            added = self._faults.add(rules if isinstance(rules, list) else [rules])
        except BadRuleError as error:
            return as_text(f"{error}\n", 400)
        except ValueError:
            return as_text("Faults are a JSON list of rules.\n", 400)
        self._changed()
        return as_json({"faults": added})

    def _pass(self, body: bytes) -> Answer:
        try:
            days = float(json.loads(body)["days"])
        except (KeyError, TypeError, ValueError):
            return as_text('How much time passes is said as {"days": 15}.\n', 400)
        happened = let_time_pass(time.time() + days * 86400)
        self._changed()
        return as_json({"happened": happened})

    def _remove(self, number: str) -> Answer:
        if number and not number.isdigit():
            return as_text(f"A fault has a number, and {number!r} is none.\n", 400)
        self._faults.remove(int(number) if number else None)
        self._changed()
        return as_json({})


def done(work: Callable[[], None]) -> Answer:
    """Do something and say no more than that it is done."""
    work()
    return as_json({})
