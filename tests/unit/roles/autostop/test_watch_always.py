# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a machine is stopped, and when it is not, whatever happens in whatever order."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from desi_watch.decision import DEADLINE, IDLE, Seen
from desi_watch.settings import HOUR, MINUTE, Settings
from hypothesis import given
from hypothesis import strategies as st
from watched import BUSY, DOUBT, QUIET, START, Machine


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
            machine.record = None
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
    # Whoever ends a limit and sets it again is told again.
    unchanged = [step._replace(forgets=False, boots=False, idle=None, longest=None) for step in steps]
    list(go_through(machine, unchanged))
    given_at = Counter((kind, round(stop, 3)) for _at, kind, stop in machine.notices)
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
