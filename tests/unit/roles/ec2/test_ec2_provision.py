# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run creates at AWS is recorded at once, so that a run which was cut off is continued, and unasked."""

import pytest

from ansible_collections.desi.lab.plugins.module_utils._ec2.record import read, write

PARTS = ["plan", "key_pair", "launch"]
NO_ROOM = {"ec2:RunInstances": ("InsufficientInstanceCapacity", "no")}


@pytest.fixture
def run(region, tmp_path, play_tasks):
    """A function that runs parts of the role on the region."""

    def run_it(*parts, yes=True, **more):
        given = {
            "ec2_folder": str(tmp_path / "us-west-2/desi"),
            "ec2_yes": yes,
            "ec2_allow_from": ["192.0.2.1/32"],
            "ec2_access": "direct",
            **more,
        }
        roles = [{"ansible.builtin.include_role": {"name": "desi.lab.ec2", "tasks_from": part}} for part in parts]
        return play_tasks(roles, given)

    return run_it


@pytest.mark.security("M4")
def test_each_resource_is_recorded_when_it_is_created(region, run, tmp_path):
    folder = str(tmp_path / "us-west-2/desi")
    # As if it was cut off when all but the machine was there.
    region.faults.update(NO_ROOM)
    assert run(*PARTS)[0] != 0
    region.faults.clear()
    assert (read(folder).account, len(read(folder).begun)) == ("123456789012", 1)
    [group] = read(folder).ids("security group")
    code, shown = run(*PARTS)
    assert code == 0, shown
    [machine] = region.instances()
    assert read(folder).ids("machine") == (machine["InstanceId"],)
    assert read(folder).ids("disk")
    assert read(folder).ids("security group") == (group,)
    assert (tmp_path / "us-west-2/desi/made.json").stat().st_mode & 0o777 == 0o600
    # With a rule that somebody added it is told, each time.
    region.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    code, shown = run("plan", yes=False)
    # Nobody can be asked, and nothing has to be.
    assert code == 0, shown


@pytest.mark.parametrize("earlier", [True, False])
def test_failed_launch_removes_what_it_made_and_nothing_that_an_earlier_machine_left(region, run, tmp_path, earlier):
    folder = tmp_path / "us-west-2/desi"
    region.faults.update(NO_ROOM)
    if earlier:
        assert run(*PARTS)[0] != 0
        disk = region.disk()
        write(str(folder), read(str(folder)).with_resources([{"kind": "disk", "id": disk}]))
    code, shown = run("main")
    assert code != 0
    assert "AWS has no machine for the lab" in shown
    assert [one["VolumeId"] for one in region.ec2.describe_volumes()["Volumes"]] == ([disk] if earlier else [])
    assert len(region.ec2.describe_key_pairs()["KeyPairs"]) == earlier
    assert (folder / "id_ed25519").exists() is folder.exists() is earlier


@pytest.mark.security("M4")
def test_resources_tagged_by_others_are_refused_without_a_terminal(region, run, tmp_path):
    group = region.group()
    code, shown = run(*PARTS, yes=False)
    assert code != 0
    assert group in shown
    assert region.instances() == []
    assert not (tmp_path / "us-west-2/desi").exists()


def test_plan_promises_no_limit_that_is_not_known(run):
    assert "and anyway after 12 hours" in run("plan")[1]
    limits = ["idle_minutes", "max_hours"]
    assert "its watcher keeps the limits that it has" in run("plan", ec2_unknown_limits=limits)[1]
