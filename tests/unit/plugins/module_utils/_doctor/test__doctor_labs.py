# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING
from ansible_collections.desi.lab.plugins.module_utils._doctor.labs import judge_labs, judge_leftovers


def lab(name="desi", **changed):
    row = {"name": name, "state": "running", "address": "127.0.0.1", "port": 8888, "mount": "/m"}
    return {**row, "server_answers": True, "mount_answers": True, **changed}


def found(*labs, engine=True, reason="", containers=(), networks=(), mounts=()):
    items = [{"name": name, "lab": whose, "role": ""} for name, whose in containers]
    return {
        "engine": engine,
        "reason": reason,
        "labs": list(labs),
        "containers": items,
        "networks": [{"name": name, "lab": whose} for name, whose in networks],
        "mounts": [{"path": path, "labs": list(users)} for path, users in mounts],
    }


def test_labs_that_are_well_are_one_line():
    (line,) = judge_labs(found(lab(), lab("two", state="exited", server_answers=None, mount_answers=None)))
    assert (line.verdict, line.found) == (OK, "desi (running), two (exited)")


def test_no_lab_is_no_trouble():
    (line,) = judge_labs(found())
    assert (line.verdict, line.found) == (OK, "none")


def test_labs_that_cannot_be_seen_are_not_judged():
    for labs in (found(engine=False, reason="The engine is not running."), {"failed": True, "msg": "timed out"}):
        (line,) = judge_labs(labs)
        assert line.verdict == SKIPPED
        assert line.found.startswith("not looked at: ")
    assert "the engine is not running" in judge_labs(found(engine=False, reason="The engine is not running."))[0].found


def test_a_lab_that_does_not_answer_is_broken_and_named():
    (line,) = judge_labs(found(lab(), lab("two", server_answers=False)))
    assert (line.title, line.verdict) == ("Lab two", BROKEN)
    assert "127.0.0.1:8888" in line.found
    assert "-e lab_name=two" in line.do


def test_a_mount_that_does_not_answer_is_broken_beside_the_server():
    lines = judge_labs(found(lab(server_answers=False, mount_answers=False)))
    assert [line.verdict for line in lines] == [BROKEN, BROKEN]
    assert "/m" in lines[1].found


def test_nothing_left_is_told_as_such():
    what = found(
        lab(),
        containers=[("desi-lab-desi", "desi"), ("desi-lab-desi-sample", "desi")],
        networks=[("desi-lab-desi", "desi")],
        mounts=[("/m/one", ["desi"])],
    )
    (line,) = judge_leftovers(what, [])
    assert (line.verdict, line.found) == (OK, "none")


def test_what_is_left_of_a_lab_is_named_with_the_command_that_removes_it():
    what = found(lab(), containers=[("desi-lab-old-sample", "old")], networks=[("desi-lab-old", "old")])
    (line,) = judge_leftovers(what, [])
    assert (line.verdict, line.do) == (WARNING, "./lab down -e lab_name=old")
    assert line.found == "container desi-lab-old-sample, network desi-lab-old"


def test_a_mount_of_no_lab_is_left_over():
    (line,) = judge_leftovers(found(lab(), mounts=[("/m/one", ["desi"]), ("/m/two", [])]), [])
    assert (line.verdict, "/m/two" in line.found, "/m/one" in line.found) == (WARNING, True, False)
    assert line.facts["mounts"] == ["/m/two"]


def test_without_an_engine_nobody_knows_which_mounts_are_used():
    (line,) = judge_leftovers(found(engine=False, mounts=[("/m/two", [])]), [])
    assert line.verdict == OK


def test_a_mount_that_hangs_is_broken():
    (line,) = judge_leftovers(found(lab()), ["/m/one/.bucket"])
    assert (line.verdict, "/m/one/.bucket" in line.found) == (BROKEN, True)
    assert "umount -l /m/one/.bucket" in line.do
