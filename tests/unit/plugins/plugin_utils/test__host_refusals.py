# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from host_facts import SETTINGS, USER, computing, healthy

from ansible_collections.desi.lab.plugins.plugin_utils import _host_plan as plan
from ansible_collections.desi.lab.plugins.plugin_utils._host_refusals import ignored_settings, refusals

FREE = {"exists": True, "isdir": True, "uid": 1000, "gid": 1000, "mode": "0755", "writeable": True, "place": {}}
SSHFS = {"mount": "/net", "filesystem": "fuse.sshfs", "options": ["rw", "user_id=1000"], "full": False}
BAD = {"failed": True, "what": "The folder /d holds no DESI data.", "why": "It is empty.", "do": "Give another."}
TAKEN = {"free": False, "listener": "nginx", "next_free": 8889}


@pytest.mark.parametrize(
    ("given", "more", "refused"),
    [
        ({"port": 9999, "release": "dr1"}, {}, ["lab_release=dr1", "lab_port=9999"]),
        ({"folder": "/home/my work"}, {}, ["""'{"lab_folder": "/home/my work"}'"""]),
        ({"data": "s3"}, {}, ["lab_data=s3"]),
        # As it was made, what changes as it runs, and what is no part of a container.
        ({"port": 8888, "memory": "2GiB", "cpus": 1.0, "folder_anyway": True, "timeout": 9}, {}, []),
        # What makes another container of it takes all of them.
        ({"port": 9999}, {"workers": 2}, []),
        ({"port": 9999}, {"stays": False}, []),
    ],
)
def test_setting_that_a_started_container_was_not_made_with_is_refused(given, more, refused):
    settings = {**SETTINGS, **given, "given": given}
    goal = plan.Goal(settings, "", **{"stays": True, **more})
    differing = plan.differences(settings, healthy()["server"]["container"])
    errors = ignored_settings(goal, differing, plan.host_plan(goal, healthy()))
    assert [error.do.partition("./lab update ")[2] for error in errors] == (
        [" ".join(f"-e {each}" for each in refused)] if refused else []
    )
    # What the lab saved by itself is no wish of anybody's.
    goal = plan.Goal({**settings, "given": {}}, "", stays=True)
    assert not ignored_settings(goal, differing, plan.host_plan(goal, healthy()))


@pytest.mark.parametrize(
    ("folder", "layout", "port", "told"),
    [
        (FREE, {}, {}, []),
        (FREE, {"failed": False, "binds": [], "place": {}}, {"free": True}, []),
        ({**FREE, "writeable": False}, BAD, TAKEN, ["It is empty.", "This account may not write", "used by nginx"]),
        ({"exists": False, "isdir": False}, {}, TAKEN, ["does not exist", "used by nginx"]),
        ({**FREE, "isdir": False}, {}, {}, ["a file"]),
        ({**FREE, "place": SSHFS}, {"place": SSHFS}, {}, ["only the user 1000", "only the user 1000"]),
        ({**FREE, "place": {"mount": "/m", "options": ["ro"]}, "writeable": False}, {}, {}, ["mounted read-only"]),
    ],
)
def test_all_that_keeps_a_lab_from_being_made_is_told_together(folder, layout, port, told):
    host = {**healthy(), "folder": folder}
    errors = refusals(SETTINGS, host, USER, layout, port)
    assert len(errors) == len(told)
    assert all(part in error.why for part, error in zip(told, errors, strict=True))
    assert all("mkdir -p" not in error.do or not folder["exists"] for error in errors)
    if port is TAKEN:
        assert errors[-1].do.endswith("-e lab_port=8889")


def test_engine_that_answers_without_its_labs_is_refused():
    host = {**healthy(), "engine": False, "reason": "It says: no space left"}
    host["docker"]["answers"] = True
    assert [error.why for error in refusals(SETTINGS, {**host, "folder": FREE}, USER, {}, {})] == [host["reason"]]
    host["docker"]["answers"] = False
    assert refusals(SETTINGS, {**host, "folder": FREE}, USER, {}, {}) == []


@pytest.mark.parametrize(
    ("name", "lab", "role", "there", "reached_by", "typed"),
    [
        ("desi-lab-desi-before", "desi", "server", False, "", "with docker rename desi-lab-desi-before desi-lab-desi,"),
        (
            "desi-lab-desi-before",
            "desi",
            "server",
            False,
            "ssh -F c h",
            "with ssh -F c h docker rename desi-lab-desi-b",
        ),
        ("desi-lab-desi-before", "desi", "server", True, "", ""),
        ("desi-lab-desi-before", "desi-before", "server", False, "", ""),
        ("desi-lab-desi-before", "desi", "worker", False, "", ""),
        ("desi-lab-desi-sample", "desi", "sample", False, "", ""),
    ],
)
def test_lab_whose_replacement_was_interrupted_is_not_made_from_defaults(name, lab, role, there, reached_by, typed):
    host = {**healthy(), "folder": FREE, "containers": [{"name": name, "lab": lab, "role": role, "running": False}]}
    if not there:
        host["server"] = {"container": {}}
    told = [error.do for error in refusals(SETTINGS, host, USER, {}, {}, reached_by=reached_by)]
    assert [typed in do for do in told] == ([True] if typed else [])


@pytest.mark.parametrize(
    ("settings", "beside", "remote", "refused"),
    [
        ({"mount": "container"}, 2, plan.LOCAL, "lab_mount=container"),
        ({"mount": "container", "data": "s3"}, 0, 3, "lab_mount=container"),
        ({"mount": "container", "data": "s3"}, 0, 0, ""),
        ({"data": "/mnt/desi"}, 0, 3, "lab_data=/mnt/desi"),
        ({"data": "/mnt/desi"}, 2, plan.LOCAL, ""),
        ({"data": "s3"}, 0, 3, ""),
    ],
)
def test_workers_that_cannot_read_the_data_of_the_lab_are_refused_whoever_gave_them(settings, beside, remote, refused):
    host = {**(computing(beside) if beside else healthy()), "folder": FREE}
    found = [error.what for error in refusals({**SETTINGS, **settings}, host, USER, {}, {}, remote_workers=remote)]
    assert [refused in what for what in found] == ([True] if refused else [])


def test_folder_that_is_made_and_one_of_a_user_behind_sudo_are_judged_by_that():
    host = {**healthy(), "folder": {**FREE, "uid": 0, "mode": "0755"}}
    assert len(refusals(SETTINGS, host, {**USER, "by_sudo": True}, {}, {})) == 1
    assert refusals({**SETTINGS, "folder_made": True}, host, {**USER, "by_sudo": True}, {}, {}) == []


def test_number_of_workers_that_this_computer_has_no_room_for_is_refused():
    host = computing(3)
    host["docker"].update(memory=2**33, cpus=2)
    many = {**SETTINGS, "workers": 9, "given": {"workers": 9}}
    assert "-e lab_workers=6" in refusals(many, host, USER, {}, {}, "1GiB")[0].do
