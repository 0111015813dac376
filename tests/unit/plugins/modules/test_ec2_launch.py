# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


import pytest
from aws_region import IMAGE, run_module

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import tags_of
from ansible_collections.desi.lab.plugins.module_utils._ec2 import launcher as ec2_launcher
from ansible_collections.desi.lab.plugins.modules import ec2_launch


@pytest.fixture
def launch(region, capsys, monkeypatch):
    monkeypatch.setattr(ec2_launcher, "POLL_SECONDS", 0.01)

    def run(check=False, **arguments):
        attempts = [
            {"type": "t2.micro", "zone": subnet["AvailabilityZone"], "subnet_id": subnet["SubnetId"]}
            for subnet in subnets
        ]
        given = {
            "name": "desi",
            "owner": region.owner,
            "attempts": attempts,
            "image_id": IMAGE,
            "root_device": "/dev/xvda",
            "disk_gib": 30,
            "key_name": "desi-lab-desi",
            "group_id": given_group,
            "tags": {"os": "amazon", "port": 8888},
        }
        return run_module(ec2_launch, capsys, check, **{**given, **arguments})

    given_group, subnets = region.group(), region.subnets
    return run


def test_machine_is_made_with_all_that_was_asked_for(region, launch):
    made = launch()
    [instance] = region.instances()
    assert (made["how"], made["changed"], made["tried"]) == ("launched", True, [])
    assert made["instance"]["id"] == instance["InstanceId"]
    assert made["instance"]["address"] == instance["PublicIpAddress"]
    assert made["instance"]["zone"] == region.subnets[0]["AvailabilityZone"]
    assert tags_of(instance)["desi-lab:port"] == "8888"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    [disk] = region.ec2.describe_volumes()["Volumes"]
    assert (disk["Size"], disk["Encrypted"], disk["VolumeType"]) == (30, True, "gp3")
    assert tags_of(disk)["desi-lab:name"] == "desi"


def test_second_run_changes_nothing_and_starts_what_is_stopped(region, launch):
    would = launch(check=True)
    assert (would["how"], would["changed"], region.instances()) == ("launched", True, [])
    made = launch()
    second = launch()
    assert (second["how"], second["changed"], second["instance"]) == ("runs", False, made["instance"])
    region.ec2.stop_instances(InstanceIds=[made["instance"]["id"]])
    started = launch()
    assert (started["how"], started["changed"]) == ("started", True)
    assert started["instance"]["id"] == made["instance"]["id"]
    assert started["instance"]["state"] == "running"
    # Another lab has an instance of its own.
    assert launch(name="other")["instance"]["id"] != made["instance"]["id"]


def test_attempt_that_is_none_is_refused(launch):
    assert launch(attempts=[{"type": "t2.micro"}])["failed"]


def test_nothing_is_launched_without_an_owner_or_at_no_endpoint(region, launch):
    assert launch(owner="")["what"] == "No machine is made."
    assert "Invalid endpoint" in launch(endpoint_url="nonsense")["why"]
    assert region.instances() == []
