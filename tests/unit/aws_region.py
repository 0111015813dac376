# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS region on loopback, in which machines are only told of."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager

import boto3
import pytest
from ansible.module_utils.testing import patch_module_args
from moto.server import ThreadedMotoServer

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
# Whoever runs the tests may have settings of AWS, which are not to be used.
NOT_USED = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
)


class Region:
    """What tests ask of the region."""

    # So the region names whoever has no keys that it gave out.
    owner = "moto"

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2", region_name="us-west-2")
        self.subnets = self.ec2.describe_subnets()["Subnets"]

    def tags(self, kind, name="desi", owner=None):
        tags = as_tag_list(lab_tags(name, owner or self.owner))
        return [{"ResourceType": kind, "Tags": tags}]

    def group(self, name="jupyter", **whose):
        return self.ec2.create_security_group(
            GroupName=name, Description="x", TagSpecifications=self.tags("security-group", **whose)
        )["GroupId"]

    def key(self, name="desi-lab-desi", **whose):
        return self.ec2.create_key_pair(KeyName=name, TagSpecifications=self.tags("key-pair", **whose))["KeyPairId"]

    def disk(self, **whose):
        return self.ec2.create_volume(
            AvailabilityZone="us-west-2a", Size=8, TagSpecifications=self.tags("volume", **whose)
        )["VolumeId"]

    def machines(self):
        found = self.ec2.describe_instances()["Reservations"]
        return [machine for reservation in found for machine in reservation["Instances"]]


@contextmanager
def region_on_loopback(monkeypatch, tmp_path):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        # What one test makes, another one in the same process would find.
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200
        connection.close()
        for name in NOT_USED:
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": url}.items():
            monkeypatch.setenv(name, value)
        yield Region()
    finally:
        server.stop()


def run_module(module, capsys, check=False, **arguments):
    """Run a module as Ansible does, and return its result."""
    given = {"region": "us-west-2", "_ansible_check_mode": check, **arguments}
    with patch_module_args(given), pytest.raises(SystemExit) as caught:
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert bool(caught.value.code) is bool(result.get("failed"))
    return result
