# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest
from aws_region import record, run_module, without_credentials

from ansible_collections.desi.lab.plugins.module_utils._ec2.record import read, write
from ansible_collections.desi.lab.plugins.modules import ec2_lab_info


@pytest.fixture
def look(region, capsys):
    return lambda **arguments: run_module(ec2_lab_info, capsys, **arguments)


def kinds(found):
    return [row["kind"] for row in found["left"]]


def test_lab_is_found_with_all_that_belongs_to_it(region, look):
    identity, group, key, disk = region.launch(), region.group(), region.key(), region.disk()
    found = look(name="desi")
    assert [(lab["name"], lab["id"], lab["state"]) for lab in found["labs"]] == [("desi", identity, "running")]
    assert kinds(found) == ["machine", "disk", "disk", "security group", "key pair"]
    assert {identity, group, key, disk} <= {row["id"] for row in found["left"]}
    assert [row["id"] for row in found["left"] if not row["in_use"]] == [disk]


def test_labs_of_others_and_what_is_gone_are_not_told(region, look):
    region.launch("b")
    region.launch("a")
    region.disk(owner="ben")
    region.key(tags={})
    region.ec2.terminate_instances(InstanceIds=[region.launch()])
    found = look()
    assert [lab["name"] for lab in found["labs"]] == ["a", "b"]
    assert {row["lab"] for row in found["left"]} - {"desi"} == {"a", "b"}
    assert look(name="desi")["labs"] == []


# What this computer remembers


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a lab of which nothing is made yet."""
    (tmp_path / "id_ed25519").write_text("the only key")
    record(tmp_path)
    return tmp_path


def remember(folder, **resources):
    more = [{"kind": kind.replace("_", " "), "id": number} for kind, number in resources.items()]
    write(str(folder), read(str(folder)).with_resources(more))


@pytest.mark.security("M4")
def test_what_only_has_the_tags_is_told_from_what_was_made_here(region, look, folder):
    ours, theirs = region.launch(), region.group()
    remember(folder, machine=ours)
    found = look(name="desi", folder=str(folder))
    assert {row["id"]: row["known"] for row in found["left"] if row["kind"] != "disk"} == {ours: True, theirs: False}
    assert {"kind": "security group", "id": theirs} in found["things"]
    assert {"kind": "machine", "id": ours} not in found["things"]


def test_what_one_lab_keeps_here_needs_the_name_of_that_lab(look, folder):
    assert "is not clear which lab" in look(folder=str(folder))["what"]


@pytest.mark.security("A2")
def test_others_than_those_who_made_it_are_refused(look, folder):
    write(str(folder), replace(read(str(folder)), account="210987654321"))
    failed = look(name="desi", folder=str(folder))
    assert "account …4321" in failed["why"]
    assert "account …9012" in failed["why"]
    write(str(folder), replace(read(str(folder)), account="123456789012", region="eu-west-1"))
    assert look(name="desi", folder=str(folder))["failed"]


@pytest.mark.security("A2")
def test_nothing_found_is_gone_only_if_aws_says_so_of_each_id(region, look, folder):
    assert look(name="desi", folder=str(folder))["kept_for"] == ""
    identity = region.launch()
    remember(folder, machine=identity)
    # Somebody gave it other tags.
    disks = [disk["VolumeId"] for disk in region.ec2.describe_volumes()["Volumes"]]
    region.ec2.create_tags(Resources=[identity, *disks], Tags=[{"Key": "desi-lab:owner", "Value": "ben"}])
    assert f"machine {identity} is still there" in look(name="desi", folder=str(folder))["kept_for"]
    region.ec2.terminate_instances(InstanceIds=[identity])
    assert look(name="desi", folder=str(folder))["kept_for"] == ""


@pytest.mark.security("A2")
def test_what_is_left_of_others_is_no_proof_that_ours_is_gone(region, look, folder):
    number = region.launch(tags={})
    remember(folder, machine=number)
    region.launch()
    found = look(name="desi", folder=str(folder))
    assert kinds(found) == ["machine", "disk"]
    assert f"machine {number} is still there" in found["kept_for"]


@pytest.mark.security("A2")
def test_of_a_lab_of_0_1_0_nothing_found_is_no_proof(look, folder):
    (folder / "made.json").unlink()
    found = look(name="desi", folder=str(folder))
    assert "does not remember who made it, and moto in account …9012" in found["kept_for"]


@pytest.mark.security("A2")
def test_without_an_answer_nothing_is_said_to_be_gone(look, folder, monkeypatch):
    remember(folder, machine="i-0abc12345")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    failed = look(name="desi", folder=str(folder))
    assert failed["failed"]
    assert "kept_for" not in failed


# Credentials


def test_keys_beside_a_profile_count_as_they_do_for_the_aws_cli(look, monkeypatch, tmp_path):
    (tmp_path / "aws").write_text("[profile work]\ncredential_process = /none\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert look(name="desi")["owner"] == "moto"
    without_credentials(monkeypatch)
    assert "The program /none, which AWS profile work takes" in look(name="desi")["why"]
