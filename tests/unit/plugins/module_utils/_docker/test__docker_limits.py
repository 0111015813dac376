# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._docker.limits import (
    GIB,
    MIB,
    interface_name,
    lab_limits,
    limits_update,
    memory_by_default,
)

ENGINE = {"memory": 16 * GIB, "cpus": 4, "limits": ["memory", "swap", "cpus", "processes"], "log_driver": "json-file"}


@pytest.mark.security("M10")
def test_a_lab_is_bounded_in_processes_memory_and_log_without_being_asked():
    assert lab_limits(ENGINE) == {
        "error": "",
        "do": "",
        "memory": str(15 * GIB),
        "memory_swap": str(30 * GIB),
        "pids_limit": 4096,
        "log_driver": "json-file",
        "log_options": {"max-size": "10m", "max-file": "3"},
    }


@pytest.mark.security("M10")
@given(st.integers(min_value=256 * MIB, max_value=2**45))
def test_some_memory_is_always_left_to_the_computer_and_never_too_much(whole):
    limit = memory_by_default(whole)
    assert min(GIB, whole // 10) <= whole - limit <= min(GIB, whole // 10) + MIB


def test_what_was_asked_for_is_given_and_a_default_is_bounded():
    found = lab_limits(ENGINE, "2GiB", 1.5)
    assert (found["memory"], found["memory_swap"], found["cpus"]) == (str(2 * GIB), str(4 * GIB), 1.5)
    assert memory_by_default(995 * MIB) == 895 * MIB  # a t2.micro
    assert lab_limits(ENGINE, most="1GiB")["memory"] == str(GIB)
    assert lab_limits({**ENGINE, "memory": GIB}, most="1GiB")["memory"] == str(memory_by_default(GIB))


@pytest.mark.parametrize(
    ("engine", "memory", "cpus", "why", "do"),
    [
        (ENGINE, "17GiB", 0, "16.0 GiB of memory", "lab_memory=15GiB"),
        (ENGINE, "", 5, "4 processors", "lab_cpus=4"),
        ({**ENGINE, "limits": []}, "2GiB", 0, "cannot limit memory", "Leave lab_memory out"),
        ({**ENGINE, "limits": []}, "", 2, "cannot limit processors", "Leave lab_cpus out"),
    ],
)
def test_what_an_engine_does_not_have_is_refused_with_what_fits(engine, memory, cpus, why, do):
    found = lab_limits(engine, memory, cpus)
    assert why in found["error"]
    assert do in found["do"]


def test_a_limit_that_an_engine_would_forget_is_left_out():
    for able in ([], ["memory"], ["processes"]):
        found = lab_limits({**ENGINE, "limits": able})
        assert ("memory" in found, "memory_swap" in found) == ("memory" in able, False)
        assert ("pids_limit" in found, found["error"]) == ("processes" in able, "")
    for driver, told in (("local", True), ("json-file", True), ("journald", False), ("", False)):
        assert ("log_options" in lab_limits({**ENGINE, "log_driver": driver})) is told
    assert lab_limits({}) == {"error": "", "do": ""}


def container(memory=0, processes=None, cpus=0):
    return {"HostConfig": {"Memory": memory, "PidsLimit": processes, "NanoCpus": cpus}}


@pytest.mark.security("M10", "A3")
def test_a_lab_of_before_is_given_its_limits_as_it_runs():
    assert limits_update(lab_limits(ENGINE), container(), ENGINE) == [
        *("--memory", str(15 * GIB), "--memory-swap", str(30 * GIB)),
        *("--pids-limit", "4096"),
    ]


@pytest.mark.parametrize(
    ("asked", "has", "options"),
    [
        (0, container(15 * GIB, 4096), []),
        (0, container(15 * GIB, 4096, 4 * 10**9), []),
        (2, container(15 * GIB, 4096, 2 * 10**9), []),
        (4, container(15 * GIB, 4096), []),
        (1.5, container(15 * GIB, 4096), ["--cpus", "1.5"]),
        (0, container(15 * GIB, 4096, 10**9), ["--cpus", "4"]),
        (0, None, []),
    ],
)
def test_only_what_differs_is_updated(asked, has, options):
    assert limits_update(lab_limits(ENGINE, "", asked), has, ENGINE) == options


@pytest.mark.parametrize(
    ("asked", "option"),
    [(4.1, "4.1"), (2.01, "2.01"), (8.2, "8.2"), (10, "10"), (1.23456789, "1.23456789"), (1 / 3, "0.333333333")],
)
def test_processors_that_were_updated_once_stay(asked, option):
    engine = {**ENGINE, "cpus": 20}
    limits = lab_limits(engine, "", asked)
    assert limits_update(limits, container(15 * GIB, 4096), engine) == ["--cpus", option]
    # What docker reads of it.
    has = int(decimal.Decimal(option) * 10**9)
    assert limits_update(limits, container(15 * GIB, 4096, has), engine) == []


def test_swap_is_not_counted_where_the_engine_does_not():
    engine = {**ENGINE, "limits": ["memory"]}
    assert limits_update(lab_limits(engine), container(), engine) == ["--memory", str(15 * GIB), "--memory-swap", "-1"]


@pytest.mark.security("M12")
@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True))
def test_an_interface_is_known_by_its_name_and_linux_takes_it(name):
    interface = interface_name(name)
    assert interface.startswith("dlab-")
    assert len(interface) <= 15
    assert interface != interface_name(f"{name}x")
