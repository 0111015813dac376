# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest
from aws_region import REFUSED, record, run_module

from ansible_collections.desi.lab.plugins.module_utils._ec2 import resources
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import read, write
from ansible_collections.desi.lab.plugins.modules import ec2_instance_stop, ec2_lab_info, ec2_lab_removal


@pytest.fixture
def lab(region, capsys, monkeypatch, tmp_path):
    """Return a function that removes a lab which has everything, and was made here."""
    monkeypatch.setattr(resources, "FIRST_PAUSE", 0.01)
    group, key = region.group(), region.key()
    machine = region.launch(SecurityGroupIds=[group])
    attached = region.ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    record(tmp_path, ("machine", machine), ("security group", group), ("key pair", key), ("disk", attached))
    region.disk()

    rows = run_module(ec2_lab_info, capsys, name="desi", folder=str(tmp_path))["left"]
    region.calls.clear()

    def remove(check=False, **more):
        given = {"name": "desi", "owner": "moto", "folder": str(tmp_path), "resources": rows, **more}
        return run_module(ec2_lab_removal, capsys, check, **given)

    return remove


def test_all_of_it_goes_and_aws_says_so_by_few_calls(region, lab):
    done = lab()
    assert [row["kind"] for row in done["removed"]] == ["machine", "security group", "key pair", "disk"]
    assert (done["changed"], done["left"], done["kept_for"]) == (True, [], "")
    assert len(region.calls) == 9
    left = region.ec2.describe_volumes()["Volumes"], region.ec2.describe_key_pairs()["KeyPairs"]
    assert left == ([], [])
    assert [one["State"]["Name"] for one in region.instances()] == ["terminated"]


def test_check_mode_asks_and_removes_nothing(region, lab):
    assert lab(check=True)["changed"]
    assert region.calls == []
    assert [one["State"]["Name"] for one in region.instances()] == ["running"]


@pytest.mark.security("A2")
def test_in_another_account_nothing_is_removed(region, lab, tmp_path):
    write(str(tmp_path), replace(read(str(tmp_path)), account="210987654321"))
    failed = lab()
    assert "account …4321" in failed["why"]
    assert failed["removed"] == []
    assert [one["State"]["Name"] for one in region.instances()] == ["running"]


@pytest.mark.security("A2")
def test_what_was_made_here_and_lost_its_tags_keeps_the_key(region, lab, tmp_path):
    ours = [number for ids in read(str(tmp_path)).made.values() for number in ids]
    region.ec2.create_tags(Resources=ours, Tags=[{"Key": "desi-lab:owner", "Value": "ben"}])
    assert "is still there" in lab(resources=[{"kind": "key pair", "id": "key-1", "name": "none"}])["kept_for"]


@pytest.mark.security("P11")
@pytest.mark.parametrize("name", ["", "../x"])
def test_without_the_name_of_a_lab_nothing_is_asked_and_nothing_is_removed(region, lab, name):
    region.calls.clear()
    assert "is not clear which lab" in lab(name=name)["what"]
    assert not region.calls


def test_what_was_removed_before_a_failure_is_told(region, lab):
    region.faults["ec2:DeleteSecurityGroup"] = REFUSED
    failed = lab()
    assert failed["what"] == "It was not possible to remove the lab."
    assert "ec2:DeleteSecurityGroup" in failed["why"]
    assert [row["kind"] for row in failed["removed"]] == ["machine"]


def test_an_instance_is_stopped_by_two_calls(region, capsys, monkeypatch):
    monkeypatch.setattr(resources, "FIRST_PAUSE", 0.01)
    number = region.launch()
    region.calls.clear()
    assert run_module(ec2_instance_stop, capsys, True, name="desi", instance_id=number)["changed"]
    assert region.calls == []
    assert run_module(ec2_instance_stop, capsys, name="desi", instance_id=number)["state"] == "stopped"
    assert [name for name, _region, _form in region.calls] == ["ec2:StopInstances", "ec2:DescribeInstances"]
