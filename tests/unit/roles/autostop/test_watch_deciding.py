# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a machine is stopped, and when it is not, whatever happens in whatever order."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from desi_watch.deciding import DEADLINE, GAP, IDLE, Memory, Now, Seen, decide, minutes
from desi_watch.settings import HOUR, MINUTE, Settings
from hypothesis import given
from hypothesis import strategies as st

BUSY = Seen(active=("a kernel is busy",))
QUIET = Seen()
DOUBT = Seen(doubts=("the server does not answer",))
START = 1_795_000_000.0


class Machine:
    """A machine with its two clocks, whose watcher looks at it."""

    def __init__(self, settings: Settings = Settings(), booted: float = 0.25) -> None:  # noqa: B008 - cannot be changed
        self.settings, self.booted = settings, booted
        self.mono, self.wall = booted, START
        self.memory: Memory | None = None
        self.notices: list[tuple[float, str, float]] = []
        self.decision = None

    def look(self, seen: Seen = QUIET, after: float = 60.0) -> str:
        """Look after so many seconds; return why the machine is stopped, or nothing."""
        self.mono += after
        self.wall += after
        self.memory, self.decision = decide(self.memory, seen, self.settings, Now(self.wall, self.mono, self.booted))
        self.notices += [(self.mono, notice.kind, notice.stop) for notice in self.decision.news]
        return self.decision.stop

    def run(self, seen: Seen = QUIET, until: float = 48 * HOUR, every: float = 60.0) -> float | None:
        """Look again and again; return after how many seconds it is stopped, if it is."""
        began = self.mono
        while self.mono - began < until:
            if self.look(seen, every):
                return self.mono - began
        return None


# One thing at a time


def test_a_machine_that_nobody_uses_stops_after_the_idle_time():
    assert Machine().run() == pytest.approx(61 * MINUTE, abs=60)


def test_a_machine_that_is_used_stops_at_its_deadline():
    machine = Machine()
    assert machine.run(BUSY) == pytest.approx(12 * HOUR, abs=60)
    assert (
        machine.decision.stop == "It ran for 12 hours after its start (lab_max_hours). At that time: a kernel is busy."
    )


def test_what_is_not_known_counts_as_use_and_does_not_put_the_deadline_off():
    assert Machine(Settings(longest=0)).run(DOUBT) is None
    assert Machine().run(DOUBT) == pytest.approx(12 * HOUR, abs=120)


def test_the_idle_time_begins_anew_with_each_use():
    machine = Machine()
    assert machine.run(QUIET, until=59 * MINUTE) is None
    machine.look(BUSY)
    assert machine.run() == pytest.approx(61 * MINUTE, abs=60)
    assert machine.decision.stop == "Nobody used it for 60 minutes (lab_idle_minutes)."


def test_a_machine_that_was_started_a_moment_ago_counts_as_used():
    machine = Machine(Settings(idle=60, start=300))
    assert machine.run() == pytest.approx(300 + 60, abs=60)
    assert Machine(Settings(idle=60, start=1e9)).run() == pytest.approx(12 * HOUR, abs=60)


def test_zero_means_never():
    assert Machine(Settings(idle=0, longest=0)).run() is None
    assert Machine(Settings(idle=0)).run() == pytest.approx(12 * HOUR, abs=120)
    assert Machine(Settings(longest=0)).run(BUSY) is None


def test_warnings_come_half_an_hour_and_five_minutes_before_the_deadline():
    machine = Machine()
    machine.run(BUSY)
    left = [(kind, round((12 * HOUR + machine.booted - at) / 60)) for at, kind, _stop in machine.notices]
    assert left == [(DEADLINE, 30), (DEADLINE, 5)]


def test_a_warning_comes_once_before_an_idle_stop_and_holds_until_somebody_comes():
    machine = Machine()
    machine.run(until=58 * MINUTE)
    assert [kind for _at, kind, _stop in machine.notices] == [IDLE]
    assert machine.decision.shown.kind == IDLE
    machine.look(BUSY)
    assert machine.decision.shown is None
    machine.run()
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


def test_a_file_keep_running_that_lies_there_since_before_the_boot_puts_nothing_off():
    assert Machine().run(QUIET._replace(touched=START + 10 * HOUR)) == pytest.approx(61 * MINUTE, abs=60)


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


def test_a_clock_that_is_set_does_not_move_the_deadline():
    machine = Machine()
    for hours in (-100_000, 100_000, 5, -5):
        machine.run(BUSY, until=1 * HOUR)
        machine.wall += hours * HOUR
    assert machine.run(BUSY) == pytest.approx(8 * HOUR, abs=120)


def test_a_watcher_that_can_remember_nothing_keeps_the_deadline_all_the_same():
    machine = Machine()
    while not machine.look(BUSY._replace(remembers=False)):
        machine.memory = None
    assert machine.mono - machine.booted == pytest.approx(12 * HOUR + 5 * MINUTE, abs=60)


def test_the_time_that_people_are_told_stays_the_same_from_look_to_look():
    machine = Machine()
    machine.run(BUSY, until=11.6 * HOUR)
    told = set()
    for _ in range(20):
        machine.wall += 0.3
        machine.look(BUSY)
        told.add(machine.decision.shown.stop_wall)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (6, "6 seconds"),
        (61, "1 minute"),
        (3600, "60 minutes"),
        (12 * 3600, "12 hours"),
        (9000, "2 hours 30 minutes"),
        (7260, "2 hours 1 minute"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert minutes(seconds) == words


# Whatever happens


class Step(NamedTuple):
    """What happens until the next look, and what it sees."""

    after: float
    seen: Seen
    clock: float = 0.0
    forgets: bool = False
    boots: bool = False
    idle: float | None = None
    longest: float | None = None
    touches: bool = False


SEEN = st.sampled_from([QUIET, QUIET, QUIET, BUSY, DOUBT])
STEPS = st.lists(
    st.builds(
        Step,
        after=st.sampled_from([0.0, 0.5, 60.0, 60.0, 60.0, 300.0, 5_000.0, 40_000.0]),
        seen=SEEN,
        clock=st.sampled_from([0.0, 0.0, 0.0, -1e9, 1e9, 4_000.0, -4_000.0]),
        forgets=st.booleans(),
        boots=st.sampled_from([False] * 9 + [True]),
        idle=st.sampled_from([None] * 8 + [0.0, 30.0, 3_600.0, 1e6]),
        longest=st.sampled_from([None] * 8 + [0.0, 600.0, 43_200.0, 1e6]),
        touches=st.sampled_from([False] * 9 + [True]),
    ),
    max_size=40,
)


def go_through(machine: Machine, steps: list[Step]):
    """Let steps happen, and yield each with why the machine was stopped."""
    touched = 0
    for step in steps:
        machine.wall += step.clock
        if step.boots:
            machine.booted += 0.5
            machine.mono = machine.booted + 30
            machine.notices.clear()
        if step.forgets:
            machine.memory = None
        if step.idle is not None:
            machine.settings = machine.settings._replace(idle=step.idle)
        if step.longest is not None:
            machine.settings = machine.settings._replace(longest=step.longest)
        touched += step.touches
        yield step, machine.look(step.seen._replace(touched=START + touched), step.after)


@given(STEPS)
def test_what_is_used_or_not_known_is_never_stopped_before_its_deadline(steps):
    machine = Machine()
    for step, stop in go_through(machine, steps):
        if stop and (step.seen.active or step.seen.doubts):
            assert machine.settings.longest > 0
            assert machine.mono >= machine.booted + machine.settings.longest


@given(STEPS)
def test_what_is_stopped_for_being_idle_was_seen_idle_for_that_long_and_warned(steps):
    machine = Machine()
    quiet_since = None
    for step, stop in go_through(machine, steps):
        if step.seen != QUIET or step.boots or step.forgets or step.touches:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = machine.mono
        if "lab_idle_minutes" in stop:
            assert quiet_since is not None
            assert machine.mono - quiet_since >= machine.settings.idle
            assert machine.decision.idle_at == machine.decision.shown.stop
            assert any(kind == IDLE and at >= quiet_since for at, kind, _stop in machine.notices)


@given(STEPS, st.floats(30, 200))
def test_what_is_idle_long_enough_is_stopped_whatever_was_before(steps, every):
    machine = Machine()
    list(go_through(machine, steps))
    machine.settings = Settings(longest=0)
    # The first look may still find something to doubt, and the last waits for its warning.
    assert machine.run(every=every, until=2 * HOUR) <= 65 * MINUTE + 3 * every


@given(STEPS, st.lists(SEEN, min_size=1, max_size=5), st.floats(30, 300))
def test_the_deadline_ends_it_whatever_is_done_and_whatever_was_before_and_is_warned_of(steps, seen, every):
    machine = Machine()
    list(go_through(machine, steps))
    machine.settings = Settings(idle=0, longest=2 * HOUR)
    began, number, stop, first = machine.mono, 0, "", None
    while not stop:
        stop = machine.look(seen[number % len(seen)], every)
        first = machine.decision.shown.stop if first is None and machine.decision.shown else first
        number += 1
        assert machine.mono - began <= 2 * HOUR + 5 * MINUTE + 2 * every
    warned = [at for at, kind, _stop in machine.notices if kind == DEADLINE]
    assert warned
    assert machine.mono - warned[0] >= 5 * MINUTE
    # What people are told does not come earlier.
    assert machine.mono >= first


@given(STEPS)
def test_a_notice_is_given_once_at_most(steps):
    machine = Machine()
    list(go_through(machine, [step._replace(forgets=False, boots=False) for step in steps]))
    given_at = Counter((kind, round(stop)) for _at, kind, stop in machine.notices)
    # Twice for a deadline: half an hour and five minutes before.
    assert all(count <= (2 if kind == DEADLINE else 1) for (kind, _stop), count in given_at.items())


@given(STEPS)
def test_what_was_forgotten_only_ever_lets_a_machine_run_longer(steps):
    forgetful = Machine(Settings(idle=0))
    remembering = Machine(Settings(idle=0))
    kept = [step._replace(idle=0.0, touches=False) for step in steps]
    for (_step, late), (_same, early) in zip(
        go_through(forgetful, kept), go_through(remembering, [step._replace(forgets=False) for step in kept])
    ):
        assert early or not late


@given(STEPS)
def test_what_a_watcher_says_of_an_end_is_what_it_does(steps):
    machine = Machine()
    for _step, stop in go_through(machine, steps):
        ends = [end for end in (machine.decision.idle_at, machine.decision.deadline) if end is not None]
        assert bool(stop) == any(machine.mono >= end for end in ends)
