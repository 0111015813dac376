# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody who launches machines in the simulated region by hand, with boto3 and ssh."""

from __future__ import annotations

import itertools
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from region.running import RunningRegion
from region.waiting import wait_until

PARAMETERS = {
    "amazon": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "ubuntu": "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
}
USERS = {"amazon": "ec2-user", "ubuntu": "ubuntu"}
NUMBERS = itertools.count(1)


class Launcher:
    """Has a key pair and a security group, and launches machines with them."""

    def __init__(self, region: RunningRegion, folder: Path) -> None:
        self.region = region
        self.ec2 = region.client("ec2")
        self.name = f"launcher-{next(NUMBERS)}"
        self.key = folder / self.name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        public = self.key.with_suffix(".pub").read_bytes()
        self.ec2.import_key_pair(KeyName=self.name, PublicKeyMaterial=public)
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = self.ec2.create_security_group(GroupName=self.name, Description="for tests", VpcId=vpc)
        self.group = group["GroupId"]
        self.launched: list[str] = []

    def image(self, system: str = "amazon") -> str:
        """Return the image of a system, as its public parameter says."""
        answer = self.region.client("ssm").get_parameter(Name=PARAMETERS[system])
        return str(answer["Parameter"]["Value"])

    def order(self, system: str = "amazon", **more: Any) -> dict[str, Any]:
        """Return what RunInstances is asked for."""
        usual = {
            "ImageId": self.image(system),
            "InstanceType": "t2.micro",
            "KeyName": self.name,
            "SecurityGroupIds": [self.group],
            "MinCount": 1,
            "MaxCount": 1,
        }
        return {**usual, **more}

    def launch(self, system: str = "amazon", **more: Any) -> str:
        """Launch a machine; return its number."""
        answer = self.ec2.run_instances(**self.order(system, **more))
        numbers = [instance["InstanceId"] for instance in answer["Instances"]]
        self.launched += numbers
        return str(numbers[0])

    def see(self, instance: str) -> dict[str, Any]:
        """Return an instance as DescribeInstances tells it."""
        return dict(self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0])

    def state(self, instance: str) -> str:
        return str(self.see(instance)["State"]["Name"])

    def allow(self, port: int, source: str = "127.0.0.1/32") -> None:
        """Let somebody in."""
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=permissions(port, source))

    def forbid(self, port: int, source: str = "127.0.0.1/32") -> None:
        """Let somebody in no more."""
        self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=permissions(port, source))

    def ssh(self, instance: str, command: str, system: str = "amazon") -> subprocess.CompletedProcess[str]:
        """Run a command on a machine by SSH, as its user would."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5", "BatchMode=yes"]
        words = [word for option in options for word in ("-o", option)]
        where = f"{USERS[system]}@{self.see(instance)['PublicIpAddress']}"
        full = ["ssh", "-q", "-F", "/dev/null", "-i", str(self.key), *words, where, command]
        return subprocess.run(full, capture_output=True, text=True, check=False)

    def wait_for_ssh(self, instance: str, system: str = "amazon") -> None:
        """Wait until somebody is let in."""
        wait_until(lambda: self.ssh(instance, "true", system).returncode == 0, 120)

    def clean(self) -> None:
        """Terminate what was launched."""
        if self.launched:
            self.ec2.terminate_instances(InstanceIds=self.launched)


def permissions(port: int, source: str) -> list[dict[str, Any]]:
    """Return a rule as the API wants it."""
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}]


def code(call: Callable[..., Any], **arguments: Any) -> str:
    """Return the code of the error that a call is answered by."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def knock(address: str, port: int = 22, source: str = "", patience: float = 3) -> str:
    """Return what comes of a connection: what the machine says first, or ``refused`` or ``silent``."""
    try:
        with socket.create_connection((address, port), patience, (source, 0) if source else None) as connection:
            return connection.recv(20).decode().strip() or "closed"
    except (ConnectionRefusedError, ConnectionResetError):
        return "refused"
    except TimeoutError:
        return "silent"
