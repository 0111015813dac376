# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags

INVENTORY = Path(__file__).parents[3] / "inventories/aws_ec2.yml"


@pytest.fixture
def inventory(region):
    """What Ansible makes of the inventory: its hosts with their variables, and its groups with their hosts."""

    def read():
        command = ["ansible-inventory", "-i", str(INVENTORY), "--list", "--export"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=INVENTORY.parents[1])
        assert "Failed to parse" not in done.stderr
        found = json.loads(done.stdout)
        hosts = found.pop("_meta")["hostvars"]
        return hosts, {group: rows.get("hosts", []) for group, rows in found.items()}

    return read


def machine(region, name="desi", os="amazon", release="edr", owner=None, **more):
    about = {"os": os, "release": release, **more}
    return region.launch(tags=lab_tags(name, region.owner if owner is None else owner, about))


def plain(value):
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


@pytest.mark.security("M8")
def test_labs_that_run_are_listed_by_name_and_grouped(region, inventory):
    machine(region)
    machine(region, "other", "ubuntu", "dr1")
    # Dask workers are reached by way of their lab alone.
    machine(region, "other", role="worker")
    # Nor is what does not run or is no lab, nor a machine of somebody else.
    region.ec2.stop_instances(InstanceIds=[machine(region, "third")])
    region.launch(tags={})
    machine(region, "fourth", owner="mallory")
    machine(region, "fifth", owner="")
    hosts, groups = inventory()
    assert sorted(hosts) == ["desi-desi", "desi-other"]
    assert groups["os_ubuntu"] == groups["release_dr1"] == groups["lab_other"] == ["desi-other"]
    assert groups["os_amazon"] == groups["release_edr"] == groups["lab_desi"] == ["desi-desi"]


def test_machine_is_entered_by_its_alias_and_the_configuration_of_the_lab(region, inventory, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/ann b/.config")
    machine(region, "other", "ubuntu")
    facts = inventory()[0]["desi-other"]
    assert plain(facts["ansible_host"]) == "desi-other"
    assert plain(facts["ansible_user"]) == "ubuntu"
    arguments = shlex.split(plain(facts["ansible_ssh_common_args"]))
    assert arguments == ["-F", "/home/ann b/.config/desi-lab/us-west-2/other/ssh_config"]


def test_configuration_is_looked_for_at_home_where_nothing_else_is_said(region, inventory, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    machine(region)
    arguments = plain(inventory()[0]["desi-desi"]["ansible_ssh_common_args"])
    assert arguments == f"-F {Path.home()}/.config/desi-lab/us-west-2/desi/ssh_config"


def test_machine_without_more_tags_is_listed_all_the_same(region, inventory):
    region.launch(tags=lab_tags("desi", region.owner))
    hosts, groups = inventory()
    assert plain(hosts["desi-desi"]["ansible_user"]) == "ec2-user"
    assert groups["os_unknown"] == ["desi-desi"]


def test_region_of_the_environment_is_asked(region, inventory, monkeypatch):
    machine(region)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert inventory()[0] == {}


HOSTILE = [
    "../../../desi-labs/desi",
    "..",
    "",
    "a/../../x",
    "desi\n",
    "-oProxyCommand=x",
    "desi -o ProxyCommand=x",
    "Desi",
    "' ~ lookup('ansible.builtin.pipe', 'id') ~ '",
    "{{ lookup('ansible.builtin.pipe', 'id') }}",
]


@pytest.mark.security("M8")
def test_name_that_no_lab_can_have_leads_nowhere(region, inventory):
    for name in HOSTILE:
        machine(region, name)
    hosts = inventory()[0]
    assert len(hosts) >= len(HOSTILE) - 1
    for facts in hosts.values():
        assert plain(facts["ansible_host"]) == "no-name-of-a-lab.invalid"
        assert plain(facts["ansible_ssh_common_args"]) == "-F /dev/null -o ProxyCommand=false"
    assert "uid=" not in json.dumps(hosts)
