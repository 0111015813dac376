# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a machine is stopped and people are told, one thing at a time."""

import pytest
from desi_watch.decision import DEADLINE, GAP, IDLE, minutes
from desi_watch.settings import HOUR, MINUTE, Settings
from watched import BUSY, DOUBT, QUIET, START, Machine


@pytest.mark.parametrize(
    ("settings", "seen", "seconds"),
    [
        ({}, QUIET, 61 * MINUTE),
        ({}, BUSY, 12 * HOUR),
        # What is not known counts as use, and does not put the deadline off.
        ({}, DOUBT, 12 * HOUR),
        ({"longest": 0}, DOUBT, None),
        # A machine that was started a moment ago counts as used.
        ({"idle": 60, "start": 300}, QUIET, 300 + 60),
        ({"idle": 60, "start": 1e9}, QUIET, 12 * HOUR),
        # Zero means never.
        ({"idle": 0, "longest": 0}, QUIET, None),
        ({"idle": 0}, QUIET, 12 * HOUR),
        ({"longest": 0}, BUSY, None),
        # A file keep-running that lies there since before the boot.
        ({}, QUIET._replace(touched=START + 10 * HOUR), 61 * MINUTE),
    ],
)
def test_a_machine_stops_after_its_idle_time_or_at_its_deadline(settings, seen, seconds):
    found = Machine(Settings(**settings)).run(seen)
    assert found == (seconds if seconds is None else pytest.approx(seconds, abs=120))


def test_warnings_come_half_an_hour_and_five_minutes_before_the_deadline():
    machine = Machine()
    machine.run(BUSY)
    left = [(kind, round((12 * HOUR + machine.booted - at) / 60)) for at, kind, _stop in machine.notices]
    assert left == [(DEADLINE, 30), (DEADLINE, 5)]
    why = "It ran for 12 hours after its start (lab_max_hours). At that time: a kernel is busy."
    assert machine.decision.stop == why


def test_a_warning_comes_once_before_an_idle_stop_and_holds_until_somebody_comes():
    machine = Machine()
    machine.run(until=58 * MINUTE)
    assert [kind for _at, kind, _stop in machine.notices] == [IDLE]
    assert machine.decision.shown.kind == IDLE
    machine.look(BUSY)
    assert machine.decision.shown is None
    assert machine.run() == pytest.approx(61 * MINUTE, abs=60)
    assert machine.decision.stop == "Nobody used it for 60 minutes (lab_idle_minutes)."
    assert [kind for _at, kind, _stop in machine.notices] == [IDLE, IDLE]


def test_a_touch_of_keep_running_lets_the_longest_time_begin_anew():
    machine = Machine()
    machine.run(BUSY._replace(touched=START), until=11.9 * HOUR)
    assert machine.decision.shown.kind == DEADLINE
    later = BUSY._replace(touched=START + 5)
    machine.look(later)
    assert machine.decision.shown is None
    assert "keep-running was touched" in machine.decision.active
    assert machine.run(later) == pytest.approx(12 * HOUR, abs=60)
    assert "12 hours after keep-running was touched" in machine.decision.stop


def test_a_longer_time_given_meanwhile_takes_a_warning_back():
    machine = Machine()
    machine.run(BUSY, until=11.9 * HOUR)
    machine.settings = Settings(longest=24 * HOUR)
    machine.look(BUSY)
    assert machine.decision.shown is None
    assert machine.run(BUSY) == pytest.approx(12.1 * HOUR, abs=120)


def test_a_deadline_that_has_passed_when_it_is_given_is_warned_of_before_it_is_kept():
    machine = Machine(Settings(longest=0))
    machine.run(BUSY, until=5 * HOUR)
    machine.settings = Settings(longest=2 * HOUR)
    assert machine.look(BUSY) == ""
    assert machine.decision.shown.stop == machine.mono + 5 * MINUTE
    assert machine.run(BUSY) == pytest.approx(5 * MINUTE, abs=60)
    assert len(machine.notices) == 1


def test_a_boot_makes_everything_begin_anew():
    machine = Machine()
    machine.run(until=59 * MINUTE)
    machine.booted, machine.mono = 0.5, 30.0
    machine.look()
    assert machine.decision.idle_at is None
    assert machine.run() == pytest.approx(61 * MINUTE, abs=60)


def test_a_clock_that_is_set_and_a_pause_count_as_use():
    machine = Machine()
    machine.run(until=30 * MINUTE)
    machine.wall += 3600
    machine.look()
    assert machine.decision.active == ("the clock was set",)
    machine.run(until=30 * MINUTE)
    machine.look(after=GAP + 1)
    assert machine.decision.active == ("nobody looked for 10 minutes",)


def test_a_watcher_that_can_remember_nothing_keeps_the_deadline_all_the_same():
    machine = Machine()
    while not machine.look(BUSY._replace(remembers=False)):
        machine.record = None
    assert machine.mono - machine.booted == pytest.approx(12 * HOUR + 5 * MINUTE, abs=60)


def test_the_time_that_people_are_told_stays_the_same_from_look_to_look():
    machine = Machine()
    machine.run(BUSY, until=11.6 * HOUR)
    warned = set()
    for _ in range(20):
        machine.wall += 0.3
        machine.look(BUSY)
        warned.add(machine.decision.shown.stop_wall)
    assert len(warned) == 1


def test_times_are_said_as_people_say_them():
    said = {6: "6 seconds", 61: "1 minute", 3600: "60 minutes", 12 * 3600: "12 hours", 7260: "2 hours 1 minute"}
    assert {seconds: minutes(seconds) for seconds in said} == said
