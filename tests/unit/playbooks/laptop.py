# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person's computer with a lab on EC2, whose machine answers what a test says."""

import json
import os
import shutil
from pathlib import Path

from player import run_alone

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import INSTANCE, LabRecord, write

ROOT = Path(__file__).parents[3]
TOKEN = "c0ffee" * 8
ENGINE = {
    "answers": True,
    "denied": False,
    "installed": True,
    "elsewhere": False,
    "platform": "linux",
    "endpoint": "unix:///run/docker.sock",
    "reason": "",
    "state": "",
    "version": "28",
    "architecture": "amd64",
    "root": "/var/lib/docker",
    "desktop": False,
    "rootless": False,
    "memory": 1 << 30,
    "cpus": 1,
    "limits": [],
    "log_driver": "json-file",
    "environment": {"DOCKER_HOST": "unix:///run/docker.sock"},
}
PERSON = {"name": "ec2-user", "uid": 1000, "gid": 1000, "home": "/home/ec2-user", "groups": [1000], "by_sudo": False}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMglP0ViRc+3mwrmCNRarXlaceIbSSc15QU4Ykk0OiPj"
LAB = {"name": "desi", "state": "running", "address": "127.0.0.1", "port": 8888, "folder": "/home/ec2-user/synced"}


def results(url):
    return {
        "labs_info": {
            "user": PERSON,
            "docker": ENGINE,
            "labs": [LAB],
            "others": {},
            "containers": [],
            "engine": True,
            "reason": "",
            "server": {"url": url, "error": {}},
        }
    }


class Laptop:
    """A person's computer, with a lab on EC2 that is reached without a tunnel."""

    def __init__(self, folder, region, player):
        self.folder, self.player = folder, player
        self.config = folder / "config"
        self.lab = self.config / "desi-lab/us-west-2/desi"
        self.lab.mkdir(parents=True)
        (self.lab / "id_ed25519").touch(mode=0o600)
        (self.lab / "way.json").write_text('{"access": "direct", "port": 8888}')
        self.machine = folder / "machine"
        self.machine.mkdir()
        program = folder / "bin/ssh"
        program.parent.mkdir()
        shutil.copy(Path(__file__).with_name("hostile_machine.py"), program)
        program.chmod(0o755)
        tags = as_tag_list(lab_tags("desi", region.owner, {"os": "amazon", "access": "direct", "port": "8888"}))
        kinds = [{"ResourceType": "instance", "Tags": tags}]
        image = region.ec2.describe_images()["Images"][0]["ImageId"]
        made = region.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=kinds)
        found = region.ec2.describe_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])
        instance = found["Reservations"][0]["Instances"][0]
        self.address = instance["PublicIpAddress"]
        # It was made here, and met before.
        memory = LabRecord(
            "123456789012", "aws", f"arn:aws:sts::123456789012:user/{region.owner}", "us-west-2", "desi", region.owner
        )
        write(str(self.lab), memory.with_resources([{"kind": INSTANCE, "id": instance["InstanceId"]}]))
        (self.lab / "known_hosts").write_text(f"{instance['InstanceId']} {HOST_KEY}\n")

    def play(self, name, answers, besides=None, *more, breaks=None, **environment):
        told = {"results": answers, "besides": besides or {}, "breaks": breaks or {}}
        (self.machine / "answers.json").write_text(json.dumps(told))
        (self.machine / "calls").write_text("")
        known = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("DESI_LAB", "ANSIBLE_"))},
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "DESI_TEST_MACHINE": str(self.machine),
            "DESI_LAB_QUIET": "1",
            "COLUMNS": "1000",
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            **environment,
        }
        command = ["ansible-playbook", str(ROOT / f"playbooks/{name}.yml"), "-e", "lab_where=ec2", *more]
        # What Ansible reads once takes a process of its own.
        own = any(name.startswith("ANSIBLE_") for name in environment)
        return (run_alone if own else self.player.run)(command, known, self.folder, 120, apart=True)

    def configurations(self):
        """Return the SSH configurations that ssh was called with."""
        calls = [json.loads(line) for line in (self.machine / "calls").read_text().splitlines()]
        return {call[call.index("-F") + 1] if "-F" in call else "" for call in calls}
