# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab on EC2 is ended from a computer that keeps nothing of it and whose Docker Engine one may not use."""

import json
import shutil

import pytest
from laptop import results

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list

DENIED = "#!/bin/sh\necho 'permission denied while trying to connect to the docker API' >&2\nexit 1\n"


def states(region):
    return [one["State"]["Name"] for one in region.instances()]


@pytest.mark.security("E12")
def test_lab_without_a_local_record_is_found_at_aws_and_removed_after_confirmation(region, laptop, tmp_path):
    shutil.rmtree(laptop.lab)
    docker = laptop.folder / "bin/docker"
    docker.write_text(DENIED)
    docker.chmod(0o755)
    [machine] = [one["InstanceId"] for one in region.instances()]
    elsewhere = {"DOCKER_HOST": f"unix://{tmp_path}/none"}
    asked = laptop.play("stop", {}, None, "-e", "lab_where=auto", **elsewhere)
    assert asked.returncode != 0
    assert f"The machine {machine} was not touched." in asked.stdout + asked.stderr
    assert states(region) == ["running"]
    done = laptop.play("down", {}, None, "-e", "lab_where=auto", "-e", "lab_yes=true", **elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert states(region) == ["terminated"]
    assert not laptop.lab.exists()


@pytest.mark.parametrize(
    ("given", "host"), [("", "desi.example.org"), ("lab_domain=", ""), ("lab_domain=a.example", "a.example")]
)
def test_url_has_the_domain_that_the_lab_was_made_with(region, laptop, given, host):
    [machine] = region.instances()
    tags = as_tag_list({"desi-lab:access": "https", "desi-lab:port": "443"})
    region.ec2.create_tags(Resources=[machine["InstanceId"]], Tags=tags)
    settings = {"lab_domain": "desi.example.org", "lab_certificate": "/own.pem", "lab_certificate_key": "/own.key"}
    (laptop.lab / "way.json").write_text(json.dumps({"access": "https", "port": 443, "settings": settings}))
    done = laptop.play("url", results("http://h:1/lab?token=c0ffee"), None, *(["-e", given] if given else []))
    assert done.stdout.strip() == f"https://{host or laptop.address}/lab?token=c0ffee", done.stdout + done.stderr


def test_files_are_fetched_on_the_machine_of_the_lab_with_what_it_remembers(laptop):
    labels = {"desi.lab.name": "desi", "desi.lab.settings": json.dumps({"lab_data": "/mnt/desi"})}
    server = {"url": "", "error": {}, "container": {"Id": "c" * 64, "Config": {"Labels": labels}}}
    failed = {"failed": True, "what": "No data.", "why": "The machine has none.", "do": "Nothing."}
    answers = {"labs_info": results("")["labs_info"] | {"server": server}, "data_layout_info": failed}
    done = laptop.play("prefetch", answers)
    assert "The machine has none." in done.stdout + done.stderr, done.stdout + done.stderr


def test_new_machine_that_could_not_have_the_data_is_not_launched(region, laptop):
    given = ("lab_name=new", "lab_data=/mnt/desi", "lab_allow_from=203.0.113.7", "lab_yes=true")
    done = laptop.play("ec2", {}, None, *(word for setting in given for word in ("-e", setting)))
    assert "lab new cannot be made with lab_data=/mnt/desi" in done.stdout + done.stderr, done.stdout + done.stderr
    assert states(region) == ["running"]


def test_update_changes_the_machine_if_that_was_typed_and_not_for_an_inventory(laptop, tmp_path):
    inventory = tmp_path / "mine.yml"
    inventory.write_text("all: {vars: {lab_instance_type: x9.huge}}")
    for more, wanted in (((), False), (("-e", "lab_instance_type=x9.huge"), True)):
        done = laptop.play("update", results(""), None, "-C", "-i", str(inventory), *more)
        said = done.stdout + done.stderr
        assert ("us-west-2 has no instance type x9.huge." in said) is wanted, said
