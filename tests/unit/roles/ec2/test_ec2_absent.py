# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab is removed as those who made it, and what is kept here stays until AWS says that all of it is gone."""

from dataclasses import replace

import pytest
from aws_region import record

from ansible_collections.desi.lab.plugins.module_utils._ec2.record import read, write

KEY = b"the only key\n"
ROLES = [
    {"ansible.builtin.include_role": {"name": "desi.lab.ec2", "tasks_from": "inspect"}},
    {"ansible.builtin.include_role": {"name": "desi.lab.ec2"}, "vars": {"ec2_state": "absent"}},
]


@pytest.fixture
def folder(tmp_path):
    """The folder of a lab, in which its key lies, and what is recorded of it."""
    found = tmp_path / "config/us-west-2/desi"
    record(found)
    (found / "id_ed25519").write_bytes(KEY)
    return found


@pytest.fixture
def down(play_tasks, folder):
    def run(yes=True, ask_known=False, keep=(), **environment):
        given = {"ec2_folder": str(folder), "ec2_yes": yes, "ec2_ask_known": ask_known, "ec2_keep": list(keep)}
        return play_tasks(ROLES, given, **environment)

    return run


def machine(region, folder=None, **whose):
    number = region.launch(**whose)
    if folder is not None:
        write(str(folder), read(str(folder)).with_resources([{"kind": "machine", "id": number}]))
    return number


def states(region):
    return {one["InstanceId"]: one["State"]["Name"] for one in region.instances()}


@pytest.mark.security("A2")
def test_with_other_keys_or_none_nothing_is_removed_and_they_are_told(region, folder, down):
    number = machine(region, folder)
    write(str(folder), replace(read(str(folder)), account="210987654321"))
    for environment, word in (
        ({}, "It was made by moto in account …4321. Who asks now is moto in account …9012"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "No AWS credentials"),
    ):
        code, shown = down(**environment)
        assert code != 0, shown
        assert word in shown
        assert (folder / "id_ed25519").read_bytes() == KEY
        assert read(str(folder)).knows("machine", number)
    assert states(region) == {number: "running"}


@pytest.mark.security("A2")
def test_a_machine_that_lost_its_tags_keeps_the_key_and_once_it_is_gone_all_goes(region, folder, down):
    number = machine(region, folder)
    disks = [disk["VolumeId"] for disk in region.ec2.describe_volumes()["Volumes"]]
    region.ec2.create_tags(Resources=[number, *disks], Tags=[{"Key": "desi-lab:owner", "Value": "ben"}])
    code, shown = down()
    assert code != 0
    assert f"the machine {number} is still there" in shown
    assert (folder / "id_ed25519").read_bytes() == KEY
    region.ec2.terminate_instances(InstanceIds=[number])
    code, shown = down()
    assert code == 0, shown
    assert not folder.exists()


def test_what_is_to_be_kept_stays_with_what_this_computer_has_of_the_lab(region, folder, down):
    number = machine(region, folder)
    kept = {"disk": region.disk(), "key pair": region.key()}
    write(str(folder), read(str(folder)).with_resources({"kind": kind, "id": each} for kind, each in kept.items()))
    code, shown = down(keep=kept.values())
    assert code == 0, shown
    assert states(region) == {number: "terminated"}
    assert "removed, nothing else is left" in shown
    left = [one["VolumeId"] for one in region.ec2.describe_volumes()["Volumes"]]
    left += [one["KeyPairId"] for one in region.ec2.describe_key_pairs()["KeyPairs"]]
    assert left == list(kept.values())
    assert (folder / "id_ed25519").read_bytes() == KEY


@pytest.mark.security("M4")
def test_resources_with_tags_but_no_record_are_removed_only_after_confirmation(region, folder, down):
    ours, group, theirs = machine(region, folder), region.group(), machine(region)
    code, shown = down(yes=False)
    assert code != 0
    for number in (group, theirs):
        assert f"{number}" in shown
    assert "this computer does not remember having made it" in shown
    assert states(region) == {ours: "running", theirs: "running"}
    assert (folder / "id_ed25519").read_bytes() == KEY


@pytest.mark.security("M4", "E12")
def test_without_the_folder_aws_is_asked_and_what_is_found_goes_once_somebody_says_so(region, folder, down):
    number = machine(region)
    for file in folder.iterdir():
        file.unlink()
    code, shown = down(yes=False)
    assert code != 0
    assert number in shown
    assert states(region) == {number: "running"}
    code, shown = down()
    assert code == 0, shown
    assert states(region) == {number: "terminated"}
    assert not folder.exists()


@pytest.mark.security("M4")
def test_a_machine_with_our_tags_is_not_used_until_somebody_says_that_it_is_ours(region, folder, down):
    number = machine(region)
    code, shown = down(yes=False, ask_known=True)
    assert code != 0
    assert f"The machine {number} was not touched" in shown
    assert not read(str(folder)).knows("machine", number)


# What somebody may have in a folder by names that a lab's folder has, too.
THEIRS = ("id_ed25519", "known_hosts", "tunnel.py", "sync.json", "tls/thesis.txt", "workers/thesis.txt")


def fill(folder):
    for name in THEIRS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


def left_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.security("G1")
@pytest.mark.parametrize("state", ["absent", "running"])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_folder_that_is_no_labs_is_refused_before_anything_is_written(region, play_tasks, tmp_path, state, recorded):
    folder = tmp_path / ".ssh"
    fill(folder)
    if recorded:
        record(folder)
    before = left_in(folder)
    role = {"ansible.builtin.include_role": {"name": "desi.lab.ec2"}}
    code, shown = play_tasks([role], {"ec2_folder": str(folder), "ec2_state": state, "ec2_yes": True})
    assert code != 0
    assert f"The folder {folder} is not used for lab desi in us-west-2." in shown
    assert left_in(folder) == before


@pytest.mark.security("G1")
def test_without_a_record_or_the_ssh_configuration_of_a_lab_nothing_is_removed(region, folder, down):
    for file in folder.iterdir():
        file.unlink()
    fill(folder)
    (folder / "id_ed25519").unlink()
    code, shown = down()
    assert code == 0, shown
    assert left_in(folder) == {*THEIRS} - {"id_ed25519"}


@pytest.mark.security("G1")
def test_of_workers_only_the_folders_named_by_ids_are_removed(region, folder, play_tasks):
    gone = folder / "workers/i-0abc"
    gone.mkdir(parents=True)
    fill(folder)
    before = left_in(folder)
    role = {"ansible.builtin.include_role": {"name": "desi.lab.ec2", "tasks_from": "workers_absent"}}
    given = {
        "ec2_folder": str(folder),
        "ec2_owner": "moto",
        "ec2_workers_ended": ["", ".", "..", "thesis.txt", gone.name],
    }
    code, shown = play_tasks([role], given)
    assert code == 0, shown
    assert not gone.exists()
    assert left_in(folder) == before
