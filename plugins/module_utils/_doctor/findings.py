# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor's findings, and checks that run concurrently with a time limit each."""

from __future__ import annotations

import queue
import threading
import time
import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._common.errors import LabError

Verdict = t.Literal["ok", "warning", "broken", "skipped"]
OK, WARNING, BROKEN, SKIPPED = "ok", "warning", "broken", "skipped"
# The worst last.
VERDICTS = (SKIPPED, OK, WARNING, BROKEN)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's. ``check`` is its name for programs, ``title`` the one for people.

    ``found`` is what was found; ``why`` it matters and what to ``do`` are empty where all is well. ``facts`` are for
    programs, and hold no secret.
    """

    check: str
    title: str
    verdict: str
    found: str
    why: str = ""
    do: str = ""
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)

    def as_result(self) -> dict[str, t.Any]:
        """Return the finding as a module returns it."""
        return {**asdict(self), "facts": dict(self.facts)}


Work = t.Callable[[], t.Sequence[Finding]]


class Check(t.NamedTuple):
    """A check with its time limit, and the verdict if it exceeds that."""

    name: str
    title: str
    work: Work
    seconds: float
    hung: str = WARNING


def all_findings(checks: t.Sequence[Check], clock: t.Callable[[], float] = time.monotonic) -> list[Finding]:
    """Run all checks concurrently, and return their findings in order.

    A check that does not end in time is left alone, and told. Its thread dies with the process.
    """
    began, answers = clock(), [_started(check) for check in checks]
    found: list[Finding] = []
    for check, answer in zip(checks, answers):
        try:
            found += answer.get(timeout=max(0.0, began + check.seconds - clock()))
        except queue.Empty:
            found.append(_hung(check))
    return found


def _started(check: Check) -> queue.Queue[t.Sequence[Finding]]:
    answer: queue.Queue[t.Sequence[Finding]] = queue.Queue(maxsize=1)
    threading.Thread(target=lambda: answer.put(_done(check)), name=check.name, daemon=True).start()
    return answer


def _done(check: Check) -> t.Sequence[Finding]:
    try:
        return check.work()
    except LabError as error:
        return [from_error(check.name, check.title, error)]
    # The other checks go on, and a traceback would help nobody.
    except Exception as error:
        why = f"Looking at it failed in a way that was not foreseen ({type(error).__name__})."
        do = "report it, with a bundle: ./lab doctor -e lab_bundle=desi-lab.tar.gz"
        return [Finding(check.name, check.title, WARNING, "not known", why, do)]


def _hung(check: Check) -> Finding:
    why = "Whatever answers here hangs, so a lab would wait for it, too."
    do = f"run ./lab doctor again; if it stays so, restart what is behind {check.title[0].lower()}{check.title[1:]}"
    return Finding(check.name, check.title, check.hung, f"no answer within {check.seconds:g} s", why, do)


def from_error(check: str, title: str, error: LabError, verdict: str = BROKEN) -> Finding:
    return Finding(check, title, verdict, error.what, error.why, error.do)


def no_worse_than(findings: t.Iterable[Finding], worst: str) -> list[Finding]:
    """Return findings capped at a verdict, for what these settings do not use."""
    limit = VERDICTS.index(worst)
    return [
        replace(finding, verdict=worst) if VERDICTS.index(finding.verdict) > limit else finding for finding in findings
    ]


def verdict_of(findings: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Return the worst verdict; skipped checks do not count."""
    worst = max((VERDICTS.index(str(finding["verdict"])) for finding in findings), default=0)
    return VERDICTS[max(worst, VERDICTS.index(OK))]


def summary_of(findings: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    verdicts = [str(finding["verdict"]) for finding in findings]
    parts = [
        _counted(verdicts.count(BROKEN), "error"),
        *([_counted(verdicts.count(WARNING), "warning")] if WARNING in verdicts else []),
        *([f"{verdicts.count(SKIPPED)} not checked"] if SKIPPED in verdicts else []),
    ]
    return f"{', '.join(parts)}."


def _counted(count: int, noun: str) -> str:
    return f"{count or 'No'} {noun}{'s' * (count != 1)}"


# Of the report. It changes if a key is removed or redefined, not if one is added.
REPORT_VERSION = 1


def report_of(findings: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return all findings as one document for programs."""
    verdicts = [str(finding["verdict"]) for finding in findings]
    return {
        "version": REPORT_VERSION,
        "verdict": verdict_of(findings),
        "counts": {verdict: verdicts.count(verdict) for verdict in (OK, WARNING, BROKEN, SKIPPED)},
        "findings": [dict(finding) for finding in findings],
    }
