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
SERVER = {"url": "", "trouble": {}, "container": CONTAINER, "foreign": [], "dask": None}
ANSWERS = {
    "labs_info": {**results("")["labs_info"], "server": SERVER, "mounts": []},
    "user_info": PERSON,
    "setup": {"ansible_facts": {"ansible_distribution": "Debian", "ansible_service_mgr": "systemd"}},
    "command": {"rc": 0, "stdout": "/dev/fuse", "stdout_lines": ["/dev/fuse"], "stderr": ""},
    "bucket_mount": {"failed": True, "msg": "no", "what": "No mount.", "why": "FUSE is broken.", "do": "Nothing."},
    "docker_container_info": {"exists": True, "container": CONTAINER},
    "docker_container_exec": {"rc": 0, "stdout": json.dumps({"versions": VERSIONS, "environment": {}}), "stderr": ""},
}


def play_of(region, lab, workers, good):
    """Return a playbook that deploys workers, which all exist, as playbooks/ec2.yml would."""
    own = next(one for one in region.instances() if one["InstanceId"] not in workers)
    kinds = {"number": len(workers), "launched": 0, "type": "t2.micro", "vcpus": 1, "markets": ["spot"], "text": ""}
    plan = {
        "workers": kinds,
        "owner": region.owner,
        "machine": {"id": own["InstanceId"], "state": "running", "address": "192.0.2.1"},
        "image": {"user": "ec2-user"},
        "launch": {"disk_gib": 30},
        "machine_tags": {},
        "changes": [],
        "unknown": [],
        "cost": {"text": "nothing"},
    }
    due = {
        "number": len(workers),
        "kept": len(workers),
        "hosts": [],
        "launched": [],
        "surplus": [],
        "owner": region.owner,
        "vcpus": 1,
        "type": "t2.micro",
        "lab_address": "10.0.0.1",
        "max_hours": 12,
        "folder": str(lab / "workers"),
    }
    facts = {"__ec2_plan": plan, "ec2_workers": due, "ec2_connection": {"host": "desi-desi"}}
    host = {"name": "desi-desi", "ansible_connection": "ssh", "ansible_python_interpreter": "/usr/bin/python3"}
    tasks = [
        {"ansible.builtin.import_role": {"name": "desi.lab.lab"}},
        {"ansible.builtin.set_fact": facts},
        {"ansible.builtin.add_host": {**host, "ec2_host_user": PERSON}},
        *({"ansible.builtin.add_host": {"name": f"desi-desi-{number}", "desi_worker_ready": 1}} for number in good),
    ]
    return [
        {"hosts": "localhost", "gather_facts": False, "tasks": tasks},
        {"ansible.builtin.import_playbook": str(ROOT / "playbooks/common/deploy_workers.yml")},
    ]


GOOD = ""
"""The part of one that is ready: what makes it so is the matter of others."""


@pytest.mark.parametrize(
    ("breaks", "code", "words"),
    [
        ((GOOD, "login", "file", "none"), 0, ()),
        # Notebooks are not to wait for a scheduler that nobody computes for.
        (("user_info",), 2, ("None of 1 workers of lab desi could be prepared.", "Dask workers of lab desi removed")),
    ],
)
def test_those_that_cannot_be_prepared_are_ended_and_named_and_the_others_compute(
    region, laptop, tmp_path, breaks, code, words
):
    tags = lab_tags("desi", region.owner, {ROLE_TAG: WORKER})
    fates = {region.launch(tags=tags): at for at in breaks}
    LaunchRecord(str(laptop.lab)).add_resources([{"kind": INSTANCE, "id": number} for number in fates])
    for number in fates:
        (laptop.lab / "workers" / number).mkdir(parents=True)
        (laptop.lab / "workers" / number / "known_hosts").write_text(f"{number} {HOST_KEY}\n")
    good = [number for number, at in fates.items() if at == GOOD]
    (tmp_path / "play.yml").write_text(json.dumps(play_of(region, laptop.lab, list(fates), good)))
    at = {f"desi-desi-{number}": at or "login" for number, at in fates.items()}
    name = os.path.relpath(tmp_path / "play", ROOT / "playbooks")
    done = laptop.play(name, ANSWERS, None, "-e", "ansible_become=false", breaks=at, DESI_LAB_QUIET="")
    shown = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, shown
    why = {"login": "does not take the key", "none": "FUSE is broken."}
    for number, where in fates.items():
        if where != GOOD:
            reason = why.get(where, "The connection to it broke")
            assert re.search(rf"Worker {number}[^✓]* left out\. [^✓]*{reason}", shown), shown
    assert all(word in shown for word in words), shown
    assert ("removed" in shown) is (not good)
    left = [one["InstanceId"] for one in region.instances() if one["State"]["Name"] == "running"]
    assert [number for number in left if number in fates] == good
    assert [path.name for path in Path(laptop.lab / "workers").glob("i-*")] == good
