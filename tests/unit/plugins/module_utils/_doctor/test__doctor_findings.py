# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import threading
import time

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import (
    BROKEN,
    OK,
    SKIPPED,
    WARNING,
    Check,
    Finding,
    all_findings,
    no_worse_than,
    report_of,
    summary_of,
    verdict_of,
)


def finding(verdict=OK, check="x"):
    return Finding(check, check.upper(), verdict, "found", "why", "do", {"number": 1})


def check(name, work, seconds=20.0, hung=WARNING):
    return Check(name, name.upper(), work, seconds, hung)


def verdicts(*words):
    return [{"verdict": word} for word in words]


def test_checks_are_told_in_their_order_whichever_ends_first():
    ended = threading.Event()

    def slow():
        assert ended.wait(10)
        return [finding(check="slow")]

    def quick():
        ended.set()
        return [finding(check="quick"), finding(check="quick too")]

    # The first waits for the second: one after the other, they would never end.
    found = all_findings([check("slow", slow), check("quick", quick)])
    assert [each.check for each in found] == ["slow", "quick", "quick too"]


def test_a_check_that_hangs_is_told_as_such_and_the_others_are_told_in_time():
    released = threading.Event()
    began = time.monotonic()
    try:
        checks = [
            check("engine", lambda: released.wait(30) and [], 0.2, BROKEN),
            *(check("mounts", lambda: released.wait(30) and [], 0.5) for _ in range(20)),
            check("memory", lambda: [finding(check="memory")]),
        ]
        found = all_findings(checks)
    finally:
        released.set()
    assert time.monotonic() - began < 5
    # They share one time limit, and do not add theirs up.
    expected = [("engine", BROKEN), *[("mounts", WARNING)] * 20, ("memory", OK)]
    assert [(each.check, each.verdict) for each in found] == expected
    assert found[0].found == "no answer within 0.2 s"
    assert found[0].why
    assert "restart" in found[0].do


def test_a_failure_of_three_sentences_is_a_finding():
    def refuse():
        raise LabError("No port.", "It is 0.", "take another")

    assert all_findings([check("port", refuse)]) == [
        Finding("port", "PORT", BROKEN, "No port.", "It is 0.", "take another")
    ]


def test_a_failure_that_nobody_foresaw_is_told_without_its_words_and_keeps_nothing_back():
    def fail():
        raise RuntimeError("token=abc")

    found = all_findings([check("odd", fail), check("good", lambda: [finding()])])
    assert [each.verdict for each in found] == [WARNING, OK]
    assert "RuntimeError" in found[0].why
    assert "abc" not in str(found[0])


def test_what_is_not_needed_is_no_worse_than_a_warning():
    found = no_worse_than([finding(BROKEN), finding(OK), finding(SKIPPED)], WARNING)
    assert [each.verdict for each in found] == [WARNING, OK, SKIPPED]
    assert found[0].why == "why"


@pytest.mark.parametrize(
    ("words", "worst"), [([], OK), ([SKIPPED], OK), ([OK, WARNING, OK], WARNING), ([BROKEN, WARNING, SKIPPED], BROKEN)]
)
def test_the_worst_finding_is_the_verdict(words, worst):
    assert verdict_of(verdicts(*words)) == worst


def test_report_has_all_findings_and_counts_them():
    found = [finding(OK).as_result(), finding(BROKEN).as_result(), finding(OK).as_result()]
    assert report_of(found) == {
        "version": 1,
        "verdict": BROKEN,
        "counts": {OK: 2, WARNING: 0, BROKEN: 1, SKIPPED: 0},
        "findings": found,
    }


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([OK], "No errors."),
        ([OK, WARNING, SKIPPED], "No errors, 1 warning, 1 not checked."),
        ([BROKEN, BROKEN, WARNING], "2 errors, 1 warning."),
    ],
)
def test_summary_says_what_it_comes_to(words, text):
    assert summary_of(verdicts(*words)) == text
