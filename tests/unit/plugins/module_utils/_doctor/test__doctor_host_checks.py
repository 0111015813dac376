# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.engine import DENIED, Engine
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, WARNING
from ansible_collections.desi.lab.plugins.module_utils._doctor.host_checks import (
    GIB,
    judge_engine,
    judge_fuse,
    judge_link_local,
    judge_memory,
    judge_port,
    judge_propagation,
    judge_room,
    judge_tools,
    judge_versions,
    within,
)


def one(findings):
    (found,) = findings
    # Whatever is not well says why and what to do; what is well is one line.
    assert bool(found.why) is bool(found.do) is (found.verdict != OK)
    return found


@pytest.mark.parametrize(
    ("version", "wanted", "good"),
    [
        ("10.1.2", ">=10.1.0,<12.0.0", True),
        ("10.0.9", ">=10.1.0,<12.0.0", False),
        ("12.0.0", ">=10.1.0,<12.0.0", False),
        ("10.10.0", ">=10.9.0", True),
        ("2.19", ">=2.19.0", True),
        ("2.19.0rc1", ">=2.19.0", True),
        ("3.0.0", "!=3.0.0", False),
        ("3.0.0", "3.0.0", True),
        ("", ">=1.0.0", False),
        ("unknown", "*", False),
    ],
)
def test_a_version_is_in_a_range_or_not(version, wanted, good):
    assert within(version, wanted) is good


def versions(**changed):
    facts = {
        "product": "0.1.0",
        "ansible": "2.19.4",
        "python": "3.11.2",
        "system": "Linux",
        "collections": {"amazon.aws": "10.1.2"},
        "wanted": {"amazon.aws": ">=10.1.0,<12.0.0"},
        "wanted_ansible": ">=2.19.0",
    }
    return {**facts, "changed": False, **changed}


def test_versions_that_were_tested_are_well():
    found = one(judge_versions(versions()))
    assert (found.verdict, found.found) == (OK, "DESI Lab 0.1.0, Ansible 2.19.4, Python 3.11.2")
    assert "changed" not in found.facts


@pytest.mark.parametrize(
    ("changed", "verdict", "named"),
    [
        ({"collections": {"amazon.aws": ""}}, BROKEN, "amazon.aws"),
        ({"collections": {}}, BROKEN, "amazon.aws"),
        ({"collections": {"amazon.aws": "9.0.0"}}, WARNING, "amazon.aws 9.0.0"),
        ({"ansible": "2.18.9"}, BROKEN, ">=2.19.0"),
    ],
)
def test_versions_that_are_missing_or_others_are_named(changed, verdict, named):
    found = one(judge_versions(versions(**changed)))
    assert (found.verdict, named in found.why) == (verdict, True)


def engine(**changed):
    facts = {
        "answers": True,
        "denied": False,
        "installed": True,
        "elsewhere": False,
        "platform": "linux",
        "endpoint": "unix:///var/run/docker.sock",
        "reason": "",
        "version": "27.3.1",
    }
    return Engine(**{**facts, **changed})


def test_an_engine_that_answers_is_well_and_by_whose_rights_is_told():
    found = one(judge_engine(engine(), "as root"))
    assert (found.verdict, found.found) == (OK, "27.3.1, used as root")


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("20.10.0", OK), ("20.10.24+dfsg1", OK), ("20.9.9", WARNING), ("19.03.15", WARNING), ("dev", OK)],
)
def test_an_engine_that_is_too_old_is_warned_of(version, verdict):
    assert one(judge_engine(engine(version=version), "as root")).verdict == verdict


SILENT = {"answers": False, "version": ""}


@pytest.mark.parametrize(
    ("changed", "verdict", "do"),
    [
        ({**SILENT, "denied": True, "reason": DENIED}, BROKEN, "usermod -aG docker"),
        ({**SILENT, "reason": "The engine is not running."}, BROKEN, "systemctl start docker"),
        ({**SILENT, "installed": False, "reason": "The command docker is not installed."}, WARNING, "./lab local"),
        ({**SILENT, "installed": False, "platform": "macos", "reason": "None."}, BROKEN, "Docker Desktop"),
        (
            {**SILENT, "elsewhere": True, "endpoint": "tcp://192.0.2.7:2375", "reason": "No answer."},
            BROKEN,
            "tcp://192.0.2.7:2375",
        ),
    ],
)
def test_an_engine_that_does_not_answer_is_told_with_what_helps(changed, verdict, do):
    found = one(judge_engine(engine(**changed), "as root"))
    assert (found.verdict, do in found.do) == (verdict, True)


@pytest.mark.parametrize(
    ("problem", "helper", "verdict"),
    [("", "/usr/bin/fusermount3", OK), ("", "", WARNING), ("There is no /dev/fuse.", "/usr/bin/fusermount3", BROKEN)],
)
def test_fuse_needs_its_device_and_its_helper(problem, helper, verdict):
    assert one(judge_fuse(problem, "modprobe fuse", helper)).verdict == verdict


@pytest.mark.parametrize(
    ("shared", "may_bind", "verdict"), [(True, False, OK), (False, True, OK), (False, False, WARNING)]
)
def test_a_place_that_nobody_can_share_is_warned_of(shared, may_bind, verdict):
    assert one(judge_propagation("/", shared, may_bind)).verdict == verdict


def room(**changed):
    facts = {"path": "/data", "free": 50 * GIB, "files": 10**6, "writable": True, **changed}
    return one([judge_room("disk_x", "Disk", "data", facts, (2, 16))])


@pytest.mark.parametrize(
    ("changed", "verdict", "said"),
    [
        ({}, OK, "50.0 GiB free at /data"),
        ({"free": 16 * GIB}, OK, "16.0 GiB"),
        ({"free": 16 * GIB - 1}, WARNING, "16.0 GiB"),
        ({"free": 2 * GIB}, WARNING, "2.0 GiB"),
        ({"free": 2 * GIB - 1}, BROKEN, "2.0 GiB"),
        ({"free": 0}, BROKEN, "0.0 GiB"),
        ({"files": 3}, BROKEN, "3 files"),
        ({"files": None}, OK, "50.0 GiB"),
        ({"writable": False}, BROKEN, "cannot be written"),
    ],
)
def test_a_disk_is_judged_by_room_files_and_rights(changed, verdict, said):
    found = room(**changed)
    assert (found.verdict, said in found.found) == (verdict, True)


@pytest.mark.parametrize(("available", "verdict"), [(8, OK), (2, OK), (1.99, WARNING), (0.5, WARNING), (0.49, BROKEN)])
def test_memory_is_judged_by_what_is_available(available, verdict):
    assert one(judge_memory(16 * GIB, int(available * GIB))).verdict == verdict


@pytest.mark.parametrize(
    ("owner", "lab", "verdict", "said"),
    [
        ("", "", OK, "free"),
        ("the Docker container desi-lab-desi", "desi", OK, "lab desi itself"),
        ("the Docker container desi-lab-two", "two", WARNING, "taken by lab two"),
        ("nginx (process 7)", "", BROKEN, "taken by nginx (process 7)"),
    ],
)
def test_a_port_is_judged_by_whose_it_is(owner, lab, verdict, said):
    found = one(judge_port(8888, owner, lab, 8889, "desi"))
    assert (found.verdict, said in found.found) == (verdict, True)
    assert verdict == OK or "-e lab_port=8889" in found.do


def test_programs_that_are_missing_are_named():
    assert one(judge_tools({"ssh": "/usr/bin/ssh", "rsync": "/usr/bin/rsync"})).verdict == OK
    found = one(judge_tools({"ssh": "/usr/bin/ssh", "rsync": ""}))
    assert (found.verdict, found.found) == (WARNING, "missing: rsync")


@pytest.mark.security("M12")
@pytest.mark.parametrize(
    ("obstacle", "made", "may", "answers", "verdict", "found"),
    [
        ("", True, False, True, OK, "out of reach of labs"),
        ("", False, True, True, OK, "from the next ./lab local on"),
        ("", False, False, True, WARNING, "only root can make the rule"),
        ("Docker Desktop's", False, True, True, WARNING, "within reach of labs: Docker Desktop's"),
        # A rule of before does not hold for another engine.
        ("a rootless engine's", True, True, True, WARNING, "within reach of labs: a rootless engine's"),
        ("a rootless engine's", False, False, False, OK, "nothing answers"),
        ("", False, False, False, OK, "nothing answers"),
    ],
)
def test_whether_labs_reach_the_keys_of_their_machine_is_told(obstacle, made, may, answers, verdict, found):
    (told,) = judge_link_local(obstacle, made, may, answers)
    assert (told.verdict, found in told.found) == (verdict, True)
    assert bool(told.do) is (verdict == WARNING)
