# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from aws_region import run_module

from ansible_collections.desi.lab.plugins.modules import ec2_instance_wait


def launch(region, **whose):
    image = region.ec2.describe_images()["Images"][0]["ImageId"]
    made = region.ec2.run_instances(
        ImageId=image,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=region.tags("instance", **whose),
    )
    return made["Instances"][0]["InstanceId"]


def test_machine_and_its_disk_are_told(region, capsys):
    identity = launch(region)
    launch(region, name="another")
    launch(region, owner="somebody")
    found = run_module(ec2_instance_wait, capsys, name="desi")
    machine = found["machine"]
    assert (machine["id"], machine["state"], machine["type"]) == (identity, "running", "t3.small")
    assert machine["volume_id"].startswith("vol-")
    assert machine["disk_gib"] > 0
    assert not found["changed"]


def test_no_machine_is_an_answer(region, capsys):
    assert run_module(ec2_instance_wait, capsys, name="desi")["machine"] == {}


def test_a_state_that_does_not_come_is_told_in_three_sentences(region, capsys):
    launch(region)
    result = run_module(ec2_instance_wait, capsys, name="desi", states=["stopped"], timeout=1)
    assert result["failed"]
    assert all(result[sentence] for sentence in ("what", "why", "do"))
