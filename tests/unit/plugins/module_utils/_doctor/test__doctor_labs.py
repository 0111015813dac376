# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING
from ansible_collections.desi.lab.plugins.module_utils._doctor.labs import judge_labs, judge_leftovers


def lab(name="desi", **changed):
    row = {"name": name, "state": "running", "address": "127.0.0.1", "port": 8888, "mount": "/m"}
    return {**row, "server_answers": True, "mount_answers": True, **changed}


def found(*labs, engine=True, reason="", containers=(), networks=(), mounts=()):
    return {
        "engine": engine,
        "reason": reason,
        "labs": list(labs),
        "containers": [{"name": name, "lab": whose, "role": ""} for name, whose in containers],
        "networks": [{"name": name, "lab": whose} for name, whose in networks],
        "mounts": [{"path": path, "labs": list(users)} for path, users in mounts],
    }


STOPPED = lab("two", state="exited", server_answers=None, mount_answers=None)
SILENT = lab("two", server_answers=False)
OURS = found(
    lab(),
    containers=[("desi-lab-desi", "desi"), ("desi-lab-desi-sample", "desi")],
    networks=[("desi-lab-desi", "desi")],
    mounts=[("/m/one", ["desi"])],
)
OLD = found(lab(), containers=[("desi-lab-old-sample", "old")], networks=[("desi-lab-old", "old")])


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (judge_labs(found(lab(), STOPPED)), [("Labs here", OK, "desi (running), two (stopped)", "")]),
        (judge_labs(found()), [("Labs here", OK, "none", "")]),
        (
            judge_labs(found(engine=False, reason="It is not running.")),
            [("Labs here", SKIPPED, "not looked at: it is not running", "")],
        ),
        (judge_labs({"failed": True, "msg": "timed out"}), [("Labs here", SKIPPED, "not looked at: ", "")]),
        (judge_labs(found(lab(), SILENT)), [("Lab two", BROKEN, "127.0.0.1:8888", "-e lab_name=two")]),
        (
            judge_labs(found(lab(server_answers=False, mount_answers=False))),
            [("Lab desi", BROKEN, "127.0.0.1:8888", "wait"), ("Lab desi", BROKEN, "/m", "mounts again")],
        ),
        (judge_leftovers(OURS, []), [("Leftovers", OK, "none", "")]),
        (
            judge_leftovers(OLD, []),
            [
                (
                    "Leftovers",
                    WARNING,
                    "container desi-lab-old-sample, network desi-lab-old",
                    "./lab down -e lab_name=old",
                )
            ],
        ),
        (
            judge_leftovers(found(lab(), mounts=[("/m/one", ["desi"]), ("/m/two", [])]), []),
            [("Leftovers", WARNING, "mounts of no lab: /m/two", "./lab down")],
        ),
        # Without an engine, nobody knows which mounts are used.
        (judge_leftovers(found(engine=False, mounts=[("/m/two", [])]), []), [("Leftovers", OK, "none", "")]),
        (
            judge_leftovers(found(lab()), ["/m/one/.bucket"]),
            [("Leftovers", BROKEN, "/m/one/.bucket", "umount -l /m/one/.bucket")],
        ),
    ],
)
def test_labs_and_what_is_left_of_them_are_judged(findings, expected):
    assert [(each.title, each.verdict) for each in findings] == [row[:2] for row in expected]
    for each, (_title, _verdict, says, do) in zip(findings, expected):
        assert says in each.found
        assert do in each.do
