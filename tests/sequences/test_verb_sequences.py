# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is typed for a lab on EC2, by whom and where, and however it ends: nothing is lost, nothing goes on costing.

Verbs at random, killed between two tasks or after a call of AWS, by users of two accounts, on two computers, in two
regions. Of each verb it is the part on the computer and at AWS, with moto for AWS and directories for machines.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from world import COMPUTERS, KILLED, PEOPLE, REGIONS, VERBS, Step

MOST_TASKS, MOST_CALLS = 60, 25
# Calls of AWS's API, with the proof that nothing is left.
CALLS = {"stop": 6, "down": 20}


def a_kill(chance: random.Random) -> dict[str, int]:
    """Return where a verb is killed: in half of them nowhere."""
    return chance.choice([
        {},
        {},
        {"task": chance.randint(1, MOST_TASKS)},
        {"call": chance.randint(1, MOST_CALLS)},
    ])  # fmt: skip


def alone(chance: random.Random) -> list[Step]:
    """Return what somebody does who has one computer."""
    verbs = ["ec2", *chance.choices(VERBS, (3, 2, 1, 1, 3), k=chance.randint(1, 3))]
    return [Step(verb, **a_kill(chance)) for verb in verbs]


def among_others(chance: random.Random) -> list[Step]:
    """Return what people do who share names, computers and accounts."""
    return [
        replace(
            step,
            computer=chance.choices(COMPUTERS, (3, 1))[0],
            person=chance.choices(PEOPLE, (6, 1, 2))[0],
            region=chance.choices(REGIONS, (5, 1))[0],
        )
        for step in alone(chance)
    ]


def test_nothing_is_lost_and_nothing_is_left(world, seed):
    chance = random.Random(seed)  # noqa: S311 - of a test, and the same again
    single = chance.random() < 0.5
    steps = alone(chance) if single else among_others(chance)
    story = []

    def run(step: Step) -> int:
        code, shown = world.run(step)
        story.append(f"{step} ended with {code}")
        told = "\n".join([*story, shown])
        assert not world.lost(), f"{world.lost()}\n{told}"
        assert "Traceback" not in shown, told
        return code

    for step in steps:
        there = any(each.state in ("running", "stopped") for each in world.there())
        code = run(step)
        if code in KILLED:
            code = run(replace(step, task=0, call=0))
            mended = single and (step.verb in ("ec2", "down") or (there and step.verb == "stop"))
            assert code == 0 or not mended, "\n".join([*story, world.player.output.read_text()])
        if single and step.verb == "ec2" and code == 0:
            assert len([each for each in world.there() if each.state == "running"]) == 1, story
    for _round in range(2):
        for step in world.ends():
            run(step)
    assert not world.orphans(), "\n".join([*story, *world.orphans(), world.player.output.read_text()])


@pytest.mark.parametrize("verb", ["stop", "down"])
def test_kernels_on_a_machine_are_named_and_not_ended_without_a_yes(world, verb):
    assert world.run(Step("ec2"))[0] == 0
    (machine,) = world.alive()
    (world.machines / machine.number / "kernels").write_text("fit.ipynb")
    code, shown = world.run(Step(verb, yes=False))
    assert code != 0
    assert "fit.ipynb" in shown, shown
    assert [each.state for each in world.alive()] == ["running"]
    world.region.calls.clear()
    code, shown = world.run(Step(verb))
    assert code == 0, shown
    assert len(world.region.calls) <= CALLS[verb], [name for name, _region, _form in world.region.calls]
    assert "fit.ipynb" in shown, shown
    assert [each.state for each in world.alive()] == (["stopped"] if verb == "stop" else [])
