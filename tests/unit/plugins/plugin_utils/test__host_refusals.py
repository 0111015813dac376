# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from host_facts import SETTINGS, USER, computing, healthy

from ansible_collections.desi.lab.plugins.plugin_utils import _host_plan as plan
from ansible_collections.desi.lab.plugins.plugin_utils._host_refusals import ignored_settings, lab_of_another, refusals

FREE = {"exists": True, "isdir": True, "uid": 1000, "gid": 1000, "mode": "0755", "writeable": True, "place": {}}
SSHFS = {"mount": "/net", "filesystem": "fuse.sshfs", "options": ["rw", "user_id=1000"], "full": False}
BAD = {"failed": True, "what": "The folder /d holds no DESI data.", "why": "It is empty.", "do": "Give another."}
TAKEN = {"free": False, "listener": "nginx", "next_free": 8889}
STOP_THAT = "Stop that lab: ./lab stop -e lab_name=b, then start this one again."


def refused(host, settings=SETTINGS, user=USER, memory="", **more):
    return refusals(plan.Goal(settings, "", **more), host, user, memory)


@pytest.mark.parametrize(
    ("given", "more", "names"),
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
def test_setting_that_a_started_container_was_not_made_with_is_refused(given, more, names):
    settings = {**SETTINGS, **given, "given": given}
    goal = plan.Goal(settings, "", **{"stays": True, **more})
    differing = plan.differences(settings, healthy()["server"]["container"])
    errors = ignored_settings(goal, differing, plan.host_plan(goal, healthy()))
    assert [error.do.partition("./lab update ")[2] for error in errors] == (
        [" ".join(f"-e {each}" for each in names)] if names else []
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
    errors = refused({**healthy(), "folder": folder, "layout": layout, "port": port})
    assert len(errors) == len(told)
    assert all(part in error.why for part, error in zip(told, errors, strict=True))
    assert all("mkdir -p" not in error.do or not folder["exists"] for error in errors)
    if port is TAKEN:
        assert errors[-1].do.endswith("-e lab_port=8889")


@pytest.mark.parametrize(
    ("listener", "do"),
    [
        ("the Docker container desi-lab-b", STOP_THAT),
        ("the Docker container desi-lab-b-sample", STOP_THAT),
        ("nginx (process 7)", "End nginx (process 7), then start this one again."),
        ("another program", "End the program that has it, then start this one again."),
    ],
)
def test_lab_that_is_started_as_it_is_cannot_be_given_another_port(listener, do):
    rows = [{"name": name, "lab": "b", "role": "server"} for name in ("desi-lab-b", "desi-lab-b-sample")]
    host = {**healthy(), "folder": FREE, "containers": rows, "port": {**TAKEN, "listener": listener}}
    (error,) = refused(host, stays=True)
    assert (error.why, error.do) == (f"It is used by {listener}.", do)


@pytest.mark.parametrize(
    ("others", "given", "refuses"),
    [
        ({"desi": "ann"}, {}, True),
        ({"desi": "ann"}, {"name": "desi"}, False),
        ({"spectra": "ann"}, {}, False),
        ({}, {}, False),
    ],
)
def test_lab_of_another_user_is_meant_only_by_its_name(others, given, refuses):
    errors = lab_of_another(plan.Goal({**SETTINGS, "given": given}, ""), {**healthy(), "others": others})
    assert [(error.what, error.do) for error in errors] == (
        [("The lab desi on this computer is ann's.", "Give yours a name: -e lab_name=NAME")] if refuses else []
    )


def test_address_that_this_computer_does_not_have_is_refused():
    why = {"failed": True, "what": "Nothing can listen on 192.0.2.7.", "why": "There is none.", "do": "Give another."}
    assert [error.what for error in refused({**healthy(), "folder": FREE, "port": why})] == [why["what"]]


def test_engine_that_answers_without_its_labs_is_refused():
    host = {**healthy(), "engine": False, "reason": "It says: no space left"}
    host["docker"]["answers"] = True
    assert [error.why for error in refused({**host, "folder": FREE})] == [host["reason"]]
    host["docker"]["answers"] = False
    assert refused({**host, "folder": FREE}) == []


@pytest.mark.parametrize(
    ("settings", "beside", "remote", "named"),
    [
        ({"mount": "container"}, 2, plan.LOCAL, "lab_mount=container"),
        ({"mount": "container", "data": "s3"}, 0, 3, "lab_mount=container"),
        ({"mount": "container", "data": "s3"}, 0, 0, ""),
        ({"data": "/mnt/desi"}, 0, 3, "lab_data=/mnt/desi"),
        ({"data": "/mnt/desi"}, 2, plan.LOCAL, ""),
        ({"data": "s3"}, 0, 3, ""),
    ],
)
def test_workers_that_cannot_read_the_data_of_the_lab_are_refused_whoever_gave_them(settings, beside, remote, named):
    host = {**(computing(beside) if beside else healthy()), "folder": FREE}
    found = [error.what for error in refused(host, {**SETTINGS, **settings}, remote_workers=remote)]
    assert [named in what for what in found] == ([True] if named else [])


@pytest.mark.parametrize(("problem", "why"), [("", "not exist"), ("Stale handle", "looked at: Stale handle.")])
def test_only_a_folder_that_is_missing_is_to_be_made(problem, why):
    about = {"exists": False, "isdir": False, **({"problem": problem} if problem else {})}
    (error,) = refused({**healthy(), "folder": about})
    assert why in error.why
    assert ("mkdir -p" in error.do) is (not problem)
    assert "another one: -e lab_folder=/path" in error.do


def test_folder_that_is_made_and_one_of_a_user_behind_sudo_are_judged_by_that():
    host = {**healthy(), "folder": {**FREE, "uid": 0, "mode": "0755"}}
    assert len(refused(host, user={**USER, "by_sudo": True})) == 1
    assert refused(host, {**SETTINGS, "folder_made": True}, {**USER, "by_sudo": True}) == []


def test_number_of_workers_that_this_computer_has_no_room_for_is_refused():
    host = computing(3)
    host["docker"].update(memory=2**33, cpus=2)
    many = {**SETTINGS, "workers": 9, "given": {"workers": 9}}
    assert "-e lab_workers=6" in refused(host, many, memory="1GiB")[0].do
