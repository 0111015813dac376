# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.humanize import (
    ago,
    ahead,
    decimal_size,
    duration,
    number,
    parse_time,
    span,
    stops_when,
    time_text,
)

NOON = 1_795_521_600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00.123456789Z", NOON + 0.123456),
        ("2026-11-24T14:00:00+02:00", NOON),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_times_of_docker_and_of_aws_are_read(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "said", "whole"),
    [
        (0, "0.0 s", "0 s"),
        (-1, "0.0 s", "0 s"),
        (18.24, "18.2 s", "18 s"),
        (59.96, "1 m 00 s", "59 s"),
        (112.9, "1 m 53 s", "1 m 52 s"),
        (3599.6, "1 h 00 m", "59 m 59 s"),
    ],
)
def test_duration_is_said_in_fitting_units_and_a_clock_counts_whole_seconds(seconds, said, whole):
    assert (duration(seconds), duration(seconds, whole=True)) == (said, whole)


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12 kB"), (10**9, "1.0 GB"), (10**16, "10000 TB")],
)
def test_bytes_are_said_in_fitting_units(size, said):
    assert decimal_size(size) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 min"),
        (59 * 60 + 29, "59 min"),
        (59 * 60 + 31, "1 h"),
        (11.6 * 3600, "12 h"),
        (47.6 * 3600, "2 days"),
    ],
)
def test_span_is_said_in_the_unit_in_which_people_would(seconds, said):
    assert span(seconds) == said


def test_what_is_ahead_and_what_was_are_said_from_now():
    assert ahead(NOON + 42 * 60, NOON) == "in 42 min"
    assert ahead(NOON - 1, NOON) == "now"
    assert ago(NOON - 3 * 3600, NOON) == "3 h ago"


def test_numbers_of_others_are_taken_if_they_are_numbers():
    assert [number(value) for value in (3, 2.5, True, "3", None)] == [3.0, 2.5, None, None, None]
    assert time_text(NOON) == "2026-11-24T12:00:00Z"
    assert time_text(datetime(2026, 11, 24, 14, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-24T12:00:00Z"
    assert time_text(None) == ""


LEFT, IDLE_LEFT = "for how long it may run is left to its watcher", "when it is idle is left to its watcher"


@pytest.mark.parametrize(
    ("idle", "hours", "unknown", "words"),
    [
        (60, 12, [], "stops by itself after 60 idle minutes, and anyway after 12 hours"),
        ("1", "1.0", [], "stops by itself after 1 idle minute, and anyway after 1 hour"),
        (0.5, 0.25, [], "stops by itself after 0.5 idle minutes, and anyway after 0.25 hours"),
        (60, 0, [], "stops by itself after 60 idle minutes; as long as it is used it runs, and costs, without end"),
        (0, 12, [], "stops by itself after 12 hours, used or not, and not before"),
        (0, 0, [], "never stops by itself: it runs, and costs, until you stop or remove it"),
        # What is not known is not made up.
        (60, 12, ["idle_minutes", "max_hours"], "its watcher keeps the limits that it has"),
        (60, 12, ["max_hours"], f"stops by itself after 60 idle minutes; {LEFT}"),
        (0, 12, ["max_hours"], f"is not stopped for being idle; {LEFT}"),
        (60, 12, ["idle_minutes"], f"stops by itself after 12 hours at the latest; {IDLE_LEFT}"),
        (60, 0, ["idle_minutes"], f"may run for any time while it is used; {IDLE_LEFT}"),
    ],
)
def test_stop_time_of_an_instance_in_words(idle, hours, unknown, words):
    assert stops_when(idle, hours, unknown) == words
