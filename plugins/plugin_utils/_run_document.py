# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON document of a run: its steps, its box and its failures, or the document that a verb has of its own."""

from __future__ import annotations

import typing as t

from ._failures import Failure

STEP = "desi.lab.report_step"
BOX = "desi.lab.box"
SAY = "desi.lab.report"


class RunDocument:
    """What a run told so far."""

    def __init__(self) -> None:
        self._found: dict[str, t.Any] = {"steps": [], "box": {}, "notes": [], "failures": []}
        self._own: object = None

    def collect(self, verb: str, action: str, reported: t.Mapping[str, t.Any]) -> None:
        """Keep what a task told."""
        found = self._found
        if action == STEP:
            found["steps"].append({name: reported.get(name) for name in ("name", "how", "changed")})
        elif action == BOX:
            found["box"] = {line["label"].lower(): line["text"] for line in reported.get("lines") or ()}
            found["notes"] = list(reported.get("notes") or ())
        elif action == SAY and reported.get("json"):
            self._own = reported["msg"]
        elif action == SAY and verb == "url":
            found["url"] = reported.get("msg")
        if "open" in found["box"]:
            found["url"] = found["box"]["open"]

    def fail(self, failures: t.Iterable[Failure]) -> None:
        """Keep the failures of a task."""
        self._found["failures"] += [each._asdict() for each in failures]

    def whole(self, verb: str, figures: t.Mapping[str, t.Mapping[str, int]], check: bool) -> object:
        """Return the document of a run that has ended, with the numbers of its hosts."""
        if self._own is not None:
            return self._own
        about = {
            "verb": verb,
            "ok": not any(figure["failures"] or figure["unreachable"] for figure in figures.values()),
            "changed": any(figure["changed"] for figure in figures.values()),
            "check": check,
        }
        return {**about, **self._found}
