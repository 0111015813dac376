# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines that carry the tags of labs, and no lab is on them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labs import Lab
from launching import PARAMETERS

FACTS = {"desi-lab:release": "edr", "desi-lab:access": "tunnel", "desi-lab:port": "8888", "desi-lab:os": "amazon"}

# Before that, a machine lets nobody in.
BOOTED = "until systemctl -q is-active multi-user.target && ! [ -e /run/nologin ]; do sleep 0.2; done"


def tags(name: str, owner: str = "ann", **more: str) -> list[dict[str, str]]:
    """Return the tags of a thing of a lab; without an owner, those of one that is only called so."""
    ours = {"desi-lab:name": name, "desi-lab:owner": owner, **more} if owner else {}
    whole = {"Name": f"desi-lab-{name}", **ours}
    return [{"Key": key, "Value": value} for key, value in whole.items()]


def launched(region: Any, name: str, count: int = 1, owner: str = "ann", **options: object) -> list[str]:
    """Launch machines; the first is of the lab of that name, the others are of labs with a number behind it."""
    ec2 = region.client("ec2")
    image = region.client("ssm").get_parameter(Name=PARAMETERS["amazon"])["Parameter"]["Value"]
    told = {"instance": tags(name, owner, **FACTS), "volume": tags(name, owner)}
    answer = ec2.run_instances(
        ImageId=image,
        InstanceType="t2.micro",
        MinCount=count,
        MaxCount=count,
        TagSpecifications=[{"ResourceType": kind, "Tags": each} for kind, each in told.items()],
        **options,
    )
    found = [one["InstanceId"] for one in answer["Instances"]]
    for number, machine in enumerate(found[1:], 1):
        ec2.create_tags(Resources=[machine], Tags=tags(f"{name}-{number}", owner))
    return found


@contextlib.contextmanager
def many(region: Any, lab: Lab, count: int) -> Iterator[list[str]]:
    """Have many machines for a while that can be entered from this computer, as if it had made them."""
    key = lab.home / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    ec2, machines = region.client("ec2"), []
    ec2.import_key_pair(KeyName=lab.name, PublicKeyMaterial=key.with_suffix(".pub").read_bytes())
    group = ec2.create_security_group(GroupName=lab.name, Description="for tests")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="127.0.0.0/8")
    try:
        machines = launched(region, lab.name, count, KeyName=lab.name, SecurityGroupIds=[group])
        for machine in machines:
            region.exec(machine, "timeout", "60", "sh", "-c", BOOTED)
        for number, machine in enumerate(machines):
            lead_to(region, lab, machine, f"{lab.name}-{number}" if number else lab.name, key)
        yield machines
    finally:
        if machines:
            ec2.terminate_instances(InstanceIds=machines)
        ec2.delete_security_group(GroupId=group)
        ec2.delete_key_pair(KeyName=lab.name)


def lead_to(region: Any, lab: Lab, machine: str, name: str, key: Path) -> None:
    """Lay down what a run of ``./lab ec2`` leaves on this computer for a machine, with an address of long ago."""
    folder = lab.home / "config" / "desi-lab" / "us-west-2" / name
    folder.mkdir(parents=True)
    host_key = region.exec(machine, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[:2]
    (folder / "known_hosts").write_text(f"{machine} {' '.join(host_key)}\n")
    (folder / "ssh_config").write_text(
        f"Host desi-{name}\n HostName 192.0.2.1\n User ec2-user\n IdentityFile {key}\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {folder}/known_hosts\n HostKeyAlias {machine}\n CheckHostIP no\n LogLevel ERROR\n"
    )
