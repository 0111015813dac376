# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verbs of a lab here that is not as they need it: without a server, or worked on by another run."""

import datetime
import json
import os

import pytest
import yaml
from fake_engine import INFO, container, fake_engine
from laptop import ROOT

from ansible_collections.desi.lab.plugins.module_utils._common.run_lock import take
from ansible_collections.desi.lab.plugins.module_utils._mount.cache import make_cache


@pytest.fixture
def play(tmp_path, player):
    """Run a verb on a computer whose engine has some containers; return the exit status and all that is shown."""

    def run(verb, *containers, info=None, **given):
        with fake_engine() as engine:
            engine.containers = list(containers)
            engine.answers["/info"] = INFO | (info or {})
            known = {**os.environ, "DOCKER_HOST": engine.endpoint, "XDG_STATE_HOME": str(tmp_path / "state")}
            known |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "COLUMNS": "1000"}
            command = [
                "ansible-playbook",
                str(ROOT / f"playbooks/{verb}.yml"),
                "-e",
                json.dumps({"lab_yes": True, **given}),
            ]
            done = player.run(command, known, tmp_path, 120)
        return done.returncode, " ".join(done.stdout.split())

    return run


def test_lab_without_a_server_is_not_made_from_defaults(play):
    code, shown = play("start", container("desi", role="sample"))
    assert code != 0, shown
    assert "The lab desi has no server" in shown
    assert "./lab local -e lab_name=desi" in shown


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("logs", '"container": "desi-lab-desi-before"'),
        ("shell", "The lab desi does not run. Why It is stopped. Do Start it: ./lab start -e lab_name=desi"),
        ("url", "Starting it puts it back as it was. Do Start it: ./lab start -e lab_name=desi"),
        ("status", "stopped"),
    ],
)
def test_lab_whose_replacement_was_interrupted_is_still_there_for_all_verbs(play, verb, says):
    left = container("desi", running=False, port=9, name="desi-lab-desi-before")
    code, shown = play(verb, left)
    assert says in shown, shown
    assert (code == 0) is (verb in ("logs", "status"))


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("restarting", "Why Its server keeps ending. Do See why: ./lab logs -e lab_name=desi"),
        ("paused", "Why It is paused. Do Start it: ./lab start -e lab_name=desi"),
    ],
)
def test_no_command_is_run_in_a_container_that_does_not_run_by_itself(play, state, says):
    # To the engine, either of them runs.
    lab = container("desi", port=9)
    lab["State"]["Status"] = state
    code, shown = play("shell", lab)
    assert (code != 0, says in shown) == (True, True), shown
    assert play("logs", lab)[0] == 0


def test_settings_that_are_for_instances_alone_change_nothing_of_a_lab_here(play, tmp_path):
    for name in ("work", "data"):
        (tmp_path / name).mkdir()
    given = {"lab_disk_gib": 64, "lab_instance_type": "t2.micro", "lab_folder": str(tmp_path / "work")}
    _code, shown = play("update", container("desi", port=9), lab_data=str(tmp_path / "data"), **given)
    # It comes as far as its data, and to nothing of a machine before.
    assert "holds no DESI data" in shown, shown


def test_lab_that_another_run_works_on_is_left_to_it(play, tmp_path):
    now = datetime.datetime.now().astimezone()
    take(tmp_path / "config/desi-lab/local/desi", "lab desi", os.getpid(), now)
    code, shown = play("stop", container("desi", running=False, port=9))
    assert code != 0, shown
    assert f"kill {os.getpid()}" in shown


@pytest.mark.parametrize("name", ["common/deploy", "stop", "down"])
def test_every_verb_that_changes_a_lab_here_locks_it_first(name):
    play = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())[-1]
    tasks = [*play.get("pre_tasks", []), *play["tasks"]]
    [place] = [place for place, task in enumerate(tasks) if "desi.lab.run_lock" in task]
    path, when = tasks[place]["desi.lab.run_lock"]["path"], tasks[place]["when"]
    assert path.replace("__settings.", "lab.") == "{{ lab.config }}/local/{{ lab.name }}"
    # What comes before is of a lab on EC2, which has a lock of its own.
    assert when in ("desi_folder is not defined", "not locate_region_found")
    before = [task for task in tasks[:place] if "ansible.builtin.set_fact" not in task]
    assert all(task["when"].startswith("locate_region_found") for task in before)


def lab(mount, **settings):
    return container("desi", labels={"desi.lab.mount": mount, "desi.lab.settings": json.dumps(settings)})


BESIDE = "The lab desi mounts the bucket beside it or by itself"
GOES_ON = "The setting data_place is not right."
MOUNTED = "/var/lib/desi-lab/mounts/desidata-0a1b2c3d"


@pytest.mark.parametrize(
    ("containers", "given", "info", "why"),
    [
        ([lab("", lab_mount="auto")], {}, {}, BESIDE),
        ([], {"lab_mount": "mounter"}, {}, BESIDE),
        ([], {}, {"OperatingSystem": "Docker Desktop"}, "Docker runs in a virtual machine here"),
        ([lab(MOUNTED, lab_mount="auto")], {}, {}, GOES_ON),
        ([lab("", lab_mount="mounter")], {"lab_mount": "host"}, {}, GOES_ON),
        ([lab("", lab_data="sample")], {"lab_data": "s3"}, {}, GOES_ON),
        ([], {}, {}, GOES_ON),
        ([lab("", lab_data="sample")], {}, {}, "The data are no bucket that is mounted on this computer"),
    ],
)
def test_nothing_is_fetched_into_a_cache_that_the_lab_does_not_read(play, containers, given, info, why):
    # A mount that is asked for is refused, so that none is made.
    code, shown = play("prefetch", *containers, info=info, lab_prefetch="healpix:1", data_place="nowhere", **given)
    assert code != 0, shown
    assert why in shown
    assert ("Nothing can be fetched." in shown) is (why != GOES_ON)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps a cache")
@pytest.mark.security("M2")
def test_purge_takes_what_is_marked_in_the_cache_that_the_lab_was_made_with_and_nothing_else(play, tmp_path):
    cache, home = tmp_path / "scratch", tmp_path / "home"
    make_cache(str(cache / "desidata-1"))
    (cache / "desidata-1/vfs").mkdir()
    home.mkdir()
    (home / "thesis.tex").touch()
    # Nothing of this computer's is meant.
    elsewhere = dict.fromkeys(("jupyter_cache", "data_programs", "data_mounts"), f"{tmp_path}/none")
    for place in (home, cache):
        labels = {"desi.lab.settings": json.dumps({"lab_cache": str(place)})}
        removed = container("desi", running=False, labels=labels)
        code, shown = play("down", removed, container("other", "b2"), lab_purge=True, **elsewhere)
        assert code == 0, shown
    assert not cache.exists()
    assert (home / "thesis.tex").exists()
