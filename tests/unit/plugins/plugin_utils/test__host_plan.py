# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
from host_facts import SETTINGS, USER, WORKER, computing, healthy
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.plugin_utils import _host_plan as plan
from ansible_collections.desi.lab.plugins.plugin_utils._settings_resolve import SAVED

ROOT = Path(__file__).parents[4]


def planned(host, settings=SETTINGS, **more):
    goal = plan.Goal(settings, plan.specification(settings, host, USER, [], "m"), **more)
    return plan.host_plan(goal, host)


def changed(parts):
    return {part.name: part.action for part in parts if part.action != plan.KEEP}


def at(tree, path, value):
    """Set a value deep in a tree; DELETE removes it."""
    *above, last = path
    for key in above:
        tree = tree[key]
    if value is DELETE:
        del tree[last]
    else:
        tree[last] = value


DELETE = object()
SERVER = ("server", "container")


def test_lab_that_lacks_nothing_is_kept():
    parts = planned(healthy())
    assert [part.name for part in parts] == ["engine", "image", "sample", "data", "server"]
    assert plan.is_kept(parts)
    assert plan.container_stays(parts)
    assert not any(part.reason for part in parts)


@pytest.mark.parametrize(
    ("path", "value", "actions", "stays"),
    [
        ((*SERVER, "State", "Running"), False, {"server": plan.START}, True),
        ((*SERVER, "State", "Status"), "paused", {"server": plan.START}, True),
        (("containers", 1, "state"), "paused", {"sample": plan.START}, True),
        (("server", "accepts_token"), False, {"server": plan.START}, True),
        (("server", "sees_data"), False, {"server": plan.START}, True),
        (("server", "sees_folder"), False, {"server": plan.START}, True),
        (("link_local_lost",), True, {"server": plan.START}, True),
        # The network was removed under it.
        ((*SERVER, "NetworkSettings", "Networks"), {"bridge": {}}, {"server": plan.START}, True),
        (("labs", 0, "mount_answers"), False, {"data": plan.START}, True),
        (("mounts",), [], {"data": plan.START}, True),
        (("containers", 1, "running"), False, {"sample": plan.START}, True),
        (("containers", 1, "role"), "mounter", {"sample": plan.MAKE}, True),
        # Its image was built anew, or its name was removed.
        (("images", "desi-lab:0.1.0"), "sha256:2", {"image": plan.COMPARE}, False),
        (("images",), {}, {"image": plan.COMPARE}, False),
        # It was made by 0.1.0, which has no such label.
        ((*SERVER, "Config", "Labels", "desi.lab.specification"), DELETE, {"server": plan.COMPARE}, False),
        ((*SERVER, "Config", "Labels", "desi.lab.specification"), "other", {"server": plan.COMPARE}, False),
        (("docker", "limits"), ["processes"], {"server": plan.COMPARE}, False),
        (SERVER, {}, {"image": plan.COMPARE, "data": plan.MAKE, "server": plan.MAKE}, False),
        (("engine",), False, {"engine": plan.START, **dict.fromkeys(("image", "data", "server"), plan.COMPARE)}, False),
    ],
)
def test_what_a_host_lacks_is_what_is_done(path, value, actions, stays):
    host = healthy()
    at(host, path, value)
    parts = planned(host)
    assert changed(parts) == actions
    assert plan.container_stays(parts) is stays
    assert not plan.is_kept(parts)
    assert all(part.reason.endswith(".") for part in parts if part.action != plan.KEEP and host["engine"])


def test_engine_that_is_not_there_is_made():
    host = healthy()
    host.update(engine=False, reason="None here.", docker={"installed": False, "state": "There is none."})
    assert planned(host)[0] == ("engine", plan.MAKE, "None here.")


@pytest.mark.parametrize(
    ("more", "settings", "actions"),
    [
        # A container that is started as it is differs from nothing.
        ({"stays": True}, {"port": 9}, {}),
        ({"update": True}, {}, {"image": plan.COMPARE}),
        ({"stays": True, "update": True}, {}, {}),
        ({"back": "sha256:1"}, {}, {}),
        ({}, {"port": 9}, {"server": plan.REPLACE}),
        ({}, {"image": "/a/folder"}, {"image": plan.COMPARE, "server": plan.REPLACE}),
        ({}, {"image": "desidocker"}, {"server": plan.REPLACE}),
        ({}, {"folder_made": True}, {"server": plan.COMPARE}),
        ({}, {"timeout": 7}, {}),
        ({}, {"data": "s3"}, {"server": plan.REPLACE}),
    ],
)
def test_what_is_asked_for_is_what_is_done(more, settings, actions):
    assert changed(planned(healthy(), {**SETTINGS, **settings}, **more)) == actions


@pytest.mark.parametrize("image", ["embedded", "desidocker", "/a/folder"])
def test_lab_goes_back_to_the_image_before_wherever_that_is_from(image):
    settings = {**SETTINGS, "image": image}
    parts = planned(healthy(settings), settings, back="sha256:0")
    assert changed(parts) == {"image": plan.COMPARE, "server": plan.REPLACE}


def test_reason_for_another_container_names_the_settings_and_repeats_nothing_of_the_label():
    host = healthy(**{"desi.lab.settings": '{"lab_port": "<b>", "lab_release": "edr"}'})
    part = planned(host, {**SETTINGS, "release": "dr1"})[-1]
    assert "lab_release" in part.reason
    assert "<b>" not in part.reason
    differing = plan.differences(
        {**SETTINGS, "release": "dr1", "data_writable": True}, healthy()["server"]["container"]
    )
    assert plan.difference_rows(differing) == [
        {"label": "lab_release", "text": "edr -> dr1"},
        {"label": "lab_data_writable", "text": "false -> true"},
    ]
    ways = plan.ways_to_keep("zeta", differing)
    assert "./lab start -e lab_name=zeta, or add -e lab_release=edr -e lab_data_writable=false." in ways
    assert "./lab start." in plan.ways_to_keep("desi", [])
    ways = plan.ways_to_keep("desi", [plan.Difference("lab_prefix", "x ansible_user=root", "")])
    assert """add -e '{"lab_prefix": "x ansible_user=root"}'.""" in ways
    for label in ("[]", "{", "7"):
        assert planned(healthy(**{"desi.lab.settings": label}), {**SETTINGS, "port": 9})[-1].action == plan.COMPARE


@pytest.mark.parametrize(
    ("labels", "containers", "cap", "action"),
    [
        ({"desi.lab.mount": None}, [("desi", "mounter", True)], [], plan.KEEP),
        ({"desi.lab.mount": None}, [("desi", "mounter", False)], [], plan.START),
        ({"desi.lab.mount": None}, [("zeta", "mounter", True)], [], plan.MAKE),
        ({"desi.lab.mount": None}, [], ["SYS_ADMIN"], plan.KEEP),
        ({"desi.lab.mount": "/elsewhere"}, [], [], plan.START),
    ],
)
def test_bucket_is_mounted_on_the_host_beside_the_lab_or_in_it(labels, containers, cap, action):
    settings = {**SETTINGS, "data": "s3"}
    host = healthy(settings, **labels)
    host["containers"] = [
        {"name": "n", "lab": lab, "role": role, "running": running} for lab, role, running in containers
    ]
    host["server"]["container"]["HostConfig"]["CapAdd"] = cap
    assert {part.name: part.action for part in planned(host, settings)}["data"] == action


def test_data_in_a_directory_are_no_bucket_to_mount():
    settings = {**SETTINGS, "data": "/data"}
    host = healthy(settings, **{"desi.lab.mount": None})
    assert plan.is_kept(planned(host, settings))


SCHEDULER = ("server", "dask")


def workers_planned(host, number, settings=SETTINGS, memory=7, **more):
    made_from = plan.specification(settings, host, USER, [], "m")
    goal = plan.Goal(settings, made_from, workers=number, worker_memory=memory, **more)
    return plan.host_plan(goal, host), goal


@pytest.mark.parametrize(
    ("found", "number", "action", "reason"),
    [
        (0, 0, None, ""),
        (0, 2, plan.MAKE, "There are none."),
        (2, 2, plan.KEEP, ""),
        (1, 3, plan.MAKE, "There is 1."),
        (3, 1, plan.REMOVE, "There are 3."),
        (2, 0, plan.REMOVE, "There are 2."),
    ],
)
def test_workers_are_made_and_removed_up_to_their_number_and_the_lab_stays(found, number, action, reason):
    host = computing(found)
    if not found:
        del host["containers"][-1]
    parts, _goal = workers_planned(host, number)
    assert plan.lab_is_kept(parts)
    assert plan.is_kept(parts) is (action in (None, plan.KEEP))
    assert [(part.action, part.reason) for part in parts if part.name == "workers"] == (
        [(action, reason)] if action else []
    )


@pytest.mark.parametrize(
    ("path", "value", "action"),
    [
        (("containers", 2, "running"), False, plan.START),
        (("containers", 4, "running"), False, plan.START),
        (("containers", 3, "state"), "paused", plan.START),
        (("containers", 2, "role"), "other", plan.MAKE),
        (("containers", 3, "server"), "another", plan.REPLACE),
        (("containers", 3, "memory"), 8, plan.REPLACE),
        (("server", "sees_folder"), False, plan.REPLACE),
        (SCHEDULER, None, plan.START),
        ((*SCHEDULER, "workers"), 1, plan.START),
        ((*SCHEDULER, "workers"), 3, plan.KEEP),
    ],
)
def test_what_workers_lack_is_what_is_done(path, value, action):
    host = computing()
    at(host, path, value)
    parts, _goal = workers_planned(host, 2)
    assert (parts[-1].name, parts[-1].action) == ("workers", action)
    assert plan.lab_is_kept(parts) is (path != ("server", "sees_folder"))


def test_lab_of_an_earlier_version_is_replaced_for_workers_and_for_nothing_else():
    assert changed(workers_planned(healthy(), 0)[0]) == {}
    parts, _goal = workers_planned(healthy(), 2)
    assert changed(parts) == {"server": plan.REPLACE, "workers": plan.MAKE}
    # What the lab runs by then is what its workers run.
    host = computing()
    assert changed(workers_planned(host, 2, {**SETTINGS, "port": 9})[0])["workers"] == plan.COMPARE
    host["engine"] = False
    assert "workers" not in changed(workers_planned(host, 2)[0])


def test_workers_on_machines_of_their_own_are_no_part_but_the_lab_has_to_read_their_configuration():
    assert changed(workers_planned(computing(), 0, remote_workers=2)[0]) == {}
    assert changed(workers_planned(healthy(), 0, remote_workers=0)[0]) == {}
    assert changed(workers_planned(healthy(), 0, remote_workers=2)[0]) == {"server": plan.REPLACE}
    # Without any, nobody is to wait for their scheduler.
    assert changed(workers_planned(computing(), 0, remote_workers=0)[0]) == {"workers": plan.REMOVE}


@pytest.mark.parametrize(
    ("number", "memory", "dask", "ends"),
    [
        (0, 7, {"workers": 2, "processing": 0, "waiting": 0, "memory": 1}, True),
        (0, 7, {"workers": 2, "processing": 0, "waiting": 0, "memory": 0}, False),
        # One that does not answer may compute.
        (0, 7, None, True),
        (2, 8, {"workers": 2, "processing": 1, "waiting": 0, "memory": 0}, True),
        # With another number, too, those that stay are made anew.
        (1, 8, {"workers": 2, "processing": 1, "waiting": 0, "memory": 0}, True),
        # Those that stay take over.
        (1, 7, {"workers": 2, "processing": 9, "waiting": 9, "memory": 9}, False),
    ],
)
def test_workers_that_compute_end_only_with_a_question(number, memory, dask, ends):
    host = computing()
    host["server"]["dask"] = dask
    parts, goal = workers_planned(host, number, memory=memory)
    assert plan.workers_end(parts, goal, host) is ends


def test_container_that_only_has_the_labels_of_a_worker_is_none():
    host = computing()
    host["containers"].append({**WORKER, "role": "worker", "name": "somebodys-own", "server": "x"})
    assert plan.is_kept(workers_planned(host, 2)[0])
    assert plan.worker_count(SETTINGS, host) == 2
    # An engine that bounds no memory has workers without a bound.
    host["docker"]["limits"] = []
    host["server"]["container"]["HostConfig"]["Memory"] = 0
    assert workers_planned(host, 2, memory=9)[0][-1].action == plan.KEEP


def test_number_of_workers_that_nobody_gives_is_that_of_those_that_exist():
    host = computing(3)
    assert plan.worker_count(SETTINGS, host) == 3
    assert plan.worker_count({**SETTINGS, "workers": 0, "given": {"workers": 0}}, host) == 0
    assert plan.worker_count({**SETTINGS, "workers": 5, "given": {"workers": 5}}, host, remote_workers=5) == 0
    assert plan.lab_worker_resources(SETTINGS, host, "").memory == 7


VALUES = st.one_of(st.booleans(), st.integers(0, 9), st.text(max_size=3))


@given(st.data())
def test_specification_is_another_where_anything_that_makes_a_container_is(data):
    host, binds = healthy(), [{"source": "/a", "inside": "edr"}]
    given_now = (SETTINGS, host, USER, binds, "m")
    first = plan.specification(*given_now)
    reordered = dict(reversed(SETTINGS.items())), host, {**USER, "groups": USER["groups"][::-1]}, binds, "m"
    assert plan.specification(*reordered) == first
    saved = [(0, (name.removeprefix("lab_"),)) for name in SAVED if name not in ("lab_cpus", "lab_port")]
    host_has = [(1, ("authorities", "checksum")), (1, ("folder", "uid"))]
    host_has += [(1, ("docker", name)) for name in ("rootless", "endpoint")]
    of_user = [(2, ("uid",)), (2, ("gid",))]
    place, path = data.draw(st.sampled_from([*saved, (0, ("name",)), *host_has, *of_user, (3, (0, "source"))]))
    other = list(copy.deepcopy(given_now))
    tree = other[place]
    for key in path[:-1]:
        tree = tree[key]
    before = tree.get(path[-1]) if isinstance(tree, dict) else tree[path[-1]]
    tree[path[-1]] = data.draw(VALUES.filter(lambda value: value != before and bool(value) and value != str(before)))
    assert plan.specification(*other) != first


def test_other_code_that_makes_containers_is_another_specification(tmp_path):
    shutil.copytree(ROOT / "roles", tmp_path / "roles")
    before = plan.makers_hash(tmp_path)
    assert before == plan.makers_hash(ROOT)
    (tmp_path / "roles/jupyter/README.md").write_text("other")
    (tmp_path / "roles/doctor/tasks/main.yml").write_text("other")
    assert plan.makers_hash(tmp_path) == before
    with (tmp_path / "roles/jupyter/tasks/container.yml").open("a") as file:
        file.write("# other")
    assert plan.makers_hash(tmp_path) != before


@pytest.mark.parametrize(("stays", "action"), [(True, plan.START), (False, plan.COMPARE)])
def test_container_whose_replacement_was_interrupted_is_put_back_and_replaced_only_once_that_was_asked(stays, action):
    host = healthy()
    at(host, (*SERVER, "Name"), "/desi-lab-desi-before")
    at(host, (*SERVER, "Image"), "sha256:9")
    for running in (True, False):
        at(host, (*SERVER, "State", "Running"), running)
        parts = planned(host, {**SETTINGS, "release": "dr1"}, stays=stays, back="sha256:1")
        assert changed(parts)["server"] == action
        assert plan.container_stays(parts) is stays
