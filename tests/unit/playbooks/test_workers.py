# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines of Dask workers that cannot be prepared are ended and named, and the lab is as it was."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from laptop import HOST_KEY, PERSON, ROOT, results

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import ROLE_TAG, WORKER, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import INSTANCE, LaunchRecord
from ansible_collections.desi.lab.plugins.module_utils._ssh.first_contact import make_key

CONTAINER = {
    "Id": "c" * 64,
    "Name": "/desi-lab-desi",
    "Image": "sha256:1",
    "Config": {
        "Image": "desi-lab:0.1.0",
        "Labels": {"desi.lab.dask-config": "/etc/dask"},
        "Env": [],
        "User": "1000:1000",
    },
    "HostConfig": {"Binds": ["/var/lib/desi-lab/mounts/x:/home/desidata:ro,rslave"]},
    "State": {"Running": True},
    "NetworkSettings": {"Networks": {}},
}
VERSIONS = dict.fromkeys(("python", "dask", "distributed"), "1")
LABS = results("")["labs_info"]
ANSWERS = {
    "labs_info": {
        **LABS,
        "server": {**LABS["server"], "container": CONTAINER, "foreign": [], "dask": None},
        "mounts": [],
        "user": PERSON,
        "folder": {"exists": True, "isdir": True},
        "system": {
            "distribution": "amzn",
            "programs": ["mount-s3", "rsync"],
            "updated": False,
            "watcher": {"files": {}, "runs": False},
        },
    },
    "setup": {"ansible_facts": {"ansible_distribution": "Debian", "ansible_service_mgr": "systemd"}},
    "command": {"rc": 0, "stdout": "/dev/fuse", "stdout_lines": ["/dev/fuse"], "stderr": ""},
    "bucket_mount": {"failed": True, "msg": "no", "what": "No mount.", "why": "FUSE is broken.", "do": "Nothing."},
    "docker_container_info": {"exists": True, "container": CONTAINER},
    "docker_container_exec": {"rc": 0, "stdout": json.dumps({"versions": VERSIONS, "environment": {}}), "stderr": ""},
}


def play_of(region, lab, workers, prepared, launched):
    """Return a playbook that deploys workers, of which some may have to be launched, as playbooks/ec2.yml would."""
    own = next(one for one in region.instances() if one["InstanceId"] not in workers)
    number = len(workers) + launched
    kinds = {"number": number, "launched": launched, "type": "t2.micro", "vcpus": 1, "markets": ["spot"]}
    kinds |= {"disk_gib": 30, "text": "", "notes": [], "memory": ""}
    plan = {
        "workers": kinds,
        "owner": region.owner,
        "machine": {"id": own["InstanceId"], "state": "running", "address": "192.0.2.1"},
        "image": {"user": "ec2-user"},
        "machine_tags": {},
        "changes": [],
        "unknown": [],
    }
    due = {
        "due": True,
        "number": number,
        "kept": len(workers),
        "hosts": [],
        "launched": [],
        "surplus": [],
        "owner": region.owner,
        "vcpus": 1,
        "type": "t2.micro",
        "memory": "",
        "lab_address": "10.0.0.1",
        "max_hours": 12,
        "folder": str(lab / "workers"),
    }
    facts = {"__ec2_plan": plan, "ec2_workers": due, "ec2_connection": {"host": "desi-desi"}}
    host = {"name": "desi-desi", "ansible_connection": "ssh", "ansible_python_interpreter": "/usr/bin/python3"}
    tasks = [
        {"ansible.builtin.import_role": {"name": "desi.lab.lab"}},
        {"ansible.builtin.set_fact": facts},
        {"ansible.builtin.add_host": {**host, "locate_host": {"user": PERSON}}},
        *({"ansible.builtin.add_host": {"name": f"desi-desi-{number}", "desi_worker_ready": 1}} for number in prepared),
    ]
    return [
        {"hosts": "localhost", "gather_facts": False, "tasks": tasks},
        {"ansible.builtin.import_playbook": str(ROOT / "playbooks/common/deploy_workers.yml")},
    ]


# The parts of those that are prepared, and what makes them so is the matter of others.
GOOD, UNCONNECTED = "good", "unconnected"
WHY = {
    "login": "does not take the key",
    "command": "The connection to it broke",
    "none": "FUSE is broken.",
    UNCONNECTED: "does not connect to the scheduler",
}


@pytest.fixture
def deploy(region, laptop, tmp_path):
    """Return a function that deploys workers, each with what becomes of it, and returns code, words, and the ids."""

    def run(*fates, launched=0, met=True, **answers):
        tags = lab_tags("desi", region.owner, {ROLE_TAG: WORKER})
        ids = [region.launch(tags=tags) for _ in fates]
        LaunchRecord(str(laptop.lab)).add_resources([{"kind": INSTANCE, "id": number} for number in ids])
        for number in ids:
            (laptop.lab / "workers" / number).mkdir(parents=True)
            if met:
                (laptop.lab / "workers" / number / "known_hosts").write_text(f"{number} {HOST_KEY}\n")
        named = list(zip(ids, fates))
        prepared = [number for number, fate in named if fate in (GOOD, UNCONNECTED)]
        names = [f"{number}-1" for number, fate in named if fate == GOOD]
        waited = {"rc": int(UNCONNECTED in fates), "stdout": json.dumps(names), "stderr": "They are not connected."}
        (tmp_path / "play.yml").write_text(json.dumps(play_of(region, laptop.lab, ids, prepared, launched)))
        breaks = {f"desi-desi-{number}": "labs_info" if number in prepared else fate for number, fate in named}
        name = os.path.relpath(tmp_path / "play", ROOT / "playbooks")
        # That is for how long workers are waited for.
        told = {**ANSWERS, 'docker_container_exec "120"': waited, **answers}
        done = laptop.play(name, told, None, "-e", "ansible_become=false", breaks=breaks, DESI_LAB_QUIET="")
        return done.returncode, " ".join((done.stdout + done.stderr).split()), named

    return run


def running(region):
    return [one["InstanceId"] for one in region.instances() if one["State"]["Name"] == "running"]


@pytest.mark.parametrize(
    ("fates", "code"),
    [((GOOD, UNCONNECTED, "login", "command", "none"), 0), (("command",), 2)],
)
def test_those_that_cannot_compute_are_ended_and_named_and_the_others_go_on(region, laptop, deploy, fates, code):
    returned, shown, named = deploy(*fates)
    assert returned == code, shown
    for number, fate in named:
        assert fate == GOOD or re.search(rf"Worker {number}[^✓]* left out\. [^✓]*{WHY[fate]}", shown), shown
    good = [number for number, fate in named if fate == GOOD]
    assert ("None of 1 workers of lab desi could be prepared." in shown) is (not good)
    # Notebooks are not to wait for a scheduler that nobody computes for.
    assert ("Dask workers of lab desi removed" in shown) is (not good)
    assert [number for number, _fate in named if number in running(region)] == good
    assert [path.name for path in Path(laptop.lab / "workers").glob("i-*")] == good


def test_those_of_a_run_that_was_interrupted_are_met_with_the_host_key_that_they_began_with(region, laptop, deploy):
    (laptop.lab / "workers").mkdir()
    make_key(str(laptop.lab / "workers"))
    key = (laptop.lab / "workers/host_key").read_text()
    code, shown, [(number, _fate)] = deploy(GOOD, met=False)
    assert (code, number in running(region)) == (0, True), shown
    # The machine of this test makes no other one, so that it is kept.
    assert (laptop.lab / "workers" / number / "host_key").read_text() == key
    assert not list((laptop.lab / "workers").glob("host_key*"))


def test_no_machine_is_launched_for_an_image_without_dask(region, deploy):
    before = running(region)
    inside = json.dumps({"versions": {"python": "3.11"}, "environment": {}})
    code, shown, _named = deploy(launched=2, docker_container_exec={"rc": 0, "stdout": inside, "stderr": ""})
    assert (code, running(region)) == (2, before), shown
    assert "does not have dask" in shown
    assert "No machine was launched" in shown
