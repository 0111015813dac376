# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from aws_region import run_module

from ansible_collections.desi.lab.plugins.modules import ec2_instance_wait

DISK = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30}}]


def test_machine_and_its_disk_are_told(region, capsys):
    assert run_module(ec2_instance_wait, capsys, name="desi")["machine"] == {}
    identity = region.launch(InstanceType="t3.small", BlockDeviceMappings=DISK)
    region.launch("another")
    region.launch(owner="somebody")
    found = run_module(ec2_instance_wait, capsys, name="desi")
    instance = found["machine"]
    assert (instance["id"], instance["state"], instance["type"]) == (identity, "running", "t3.small")
    assert instance["volume_id"].startswith("vol-")
    assert instance["disk_gib"] == 30
    assert not found["changed"]


def test_a_state_that_does_not_come_is_told_in_three_sentences(region, capsys):
    region.launch(InstanceType="t3.small")
    result = run_module(ec2_instance_wait, capsys, name="desi", states=["stopped"], timeout=1)
    assert result["failed"]
    assert all(result[sentence] for sentence in ("what", "why", "do"))
