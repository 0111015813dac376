# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from aws_region import record, run_module

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.modules import ec2_instance_stop, ec2_instance_wait

WORKER = {"role": "worker"}
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


def test_workers_are_no_machine_of_the_lab_and_end_with_it_where_they_are_recorded(region, capsys, tmp_path):
    lab, mine, other = (region.launch(tags=lab_tags("desi", "moto", more)) for more in ({}, WORKER, WORKER))
    # Its launch ended before AWS had answered.
    cut = region.launch(tags=lab_tags("desi", "moto", WORKER), ClientToken="token")
    record(tmp_path, ("machine", lab), ("machine", mine), tokens=("token",))
    found = run_module(ec2_instance_wait, capsys, name="desi", folder=str(tmp_path))["machine"]
    assert (found["id"], sorted(found["workers"])) == (lab, sorted([mine, cut]))
    # A third one is known no more: AWS took it back an hour ago.
    workers = [*found["workers"], "i-0123456789abcdef0"]
    run_module(ec2_instance_stop, capsys, name="desi", instance_id=lab, workers=workers, timeout=5)
    states = {one["InstanceId"]: one["State"]["Name"] for one in region.instances()}
    assert states == {lab: "stopped", mine: "terminated", cut: "terminated", other: "running"}
