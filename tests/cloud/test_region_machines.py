# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every instance that the region reports running is a real machine, and what the API does to it happens to it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from launching import knock, permissions
from region.waiting import wait_until

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
MARK = "#!/bin/sh\necho once >> /root/user-data\n"


@pytest.fixture(scope="module", params=["amazon", "ubuntu"])
def machine(request, launcher):
    """Return the system of a machine that runs, and its number."""
    if not launcher.ec2.describe_security_groups(GroupIds=[launcher.group])["SecurityGroups"][0]["IpPermissions"]:
        launcher.allow(22)
    instance = launcher.launch(request.param, UserData=MARK)
    launcher.wait_for_ssh(instance, request.param)
    yield request.param, instance
    launcher.ec2.terminate_instances(InstanceIds=[instance])


def test_its_user_comes_in_by_the_key_and_may_do_everything(launcher, machine):
    system, instance = machine
    assert launcher.ssh(instance, "id -un && sudo id -un", system).stdout.split()[1] == "root"
    said = launcher.ssh(instance, ". /etc/os-release && echo $ID $VERSION_ID", system).stdout.strip()
    assert said == {"amazon": "amzn 2023", "ubuntu": "ubuntu 24.04"}[system]


def test_it_has_what_a_real_image_has_and_no_docker(launcher, machine):
    system, instance = machine
    assert launcher.ssh(instance, "python3 -c 'import requests' && ls /dev/fuse", system).returncode == 0
    missing = "docker git rclone mount-s3"
    assert launcher.ssh(instance, f"command -v {missing}", system).stdout == ""
    trusted = launcher.ssh(instance, "sudo sha256sum < /etc/ssl/certs/ca-certificates.crt", system).stdout
    assert trusted.split()[0] == hashlib.sha256(AUTHORITIES.read_bytes()).hexdigest()


def test_docker_comes_from_its_package_manager_and_has_the_labs_images(launcher, machine, region):
    system, instance = machine
    install = {
        "amazon": "sudo dnf -qy install docker git && sudo systemctl start docker",
        "ubuntu": "sudo apt-get -qy update && sudo apt-get -qy install docker.io git",
    }[system]
    done = launcher.ssh(instance, f"{install} && sudo docker image ls --format '{{{{.Repository}}}}'", system)
    assert {"desi-lab", "desi-lab-base"} <= set(done.stdout.split()), done.stderr


def test_amazons_tool_that_mounts_buckets_comes_from_dnf_and_mounts(launcher, machine, region):
    system, instance = machine
    if system == "ubuntu":
        assert launcher.ssh(instance, "apt-cache show mount-s3", system).returncode != 0
        return
    words = ["mount-s3 desidata /mnt --foreground --read-only --no-sign-request --force-path-style"]
    words.append(f"--endpoint-url={region.bucket_endpoint} >/dev/null 2>&1")
    command = f"sudo dnf -qy install mount-s3 && sudo mkdir -p /mnt && (sudo setsid {' '.join(words)} &)"
    done = launcher.ssh(instance, command)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: "SYNTHETIC" in launcher.ssh(instance, "sudo cat /mnt/README.md").stdout, 20)
    assert launcher.ssh(instance, "sudo umount /mnt && mount-s3 desidata /mnt --unheard-of").returncode == 2


def test_what_runs_in_containers_on_it_reads_the_bucket(launcher, machine, region):
    system, instance = machine
    wanted = f"{region.bucket_endpoint}/desidata/README.md"
    read = f"import urllib.request as u; print(u.urlopen('{wanted}').read().decode())"
    done = launcher.ssh(instance, f'sudo docker run --rm --entrypoint python3 desi-lab-base:0.1.0 -c "{read}"', system)
    assert "SYNTHETIC" in done.stdout, done.stderr


def test_user_data_run_at_the_first_boot_and_a_reboot_keeps_the_address(launcher, machine, region):
    system, instance = machine
    before = launcher.see(instance)["PublicIpAddress"]
    boot = region.exec(instance, "cut", "-d ", "-f22", "/proc/1/stat").stdout
    launcher.ec2.reboot_instances(InstanceIds=[instance])
    wait_until(lambda: region.exec(instance, "cut", "-d ", "-f22", "/proc/1/stat").stdout not in ("", boot), 30)
    launcher.wait_for_ssh(instance, system)
    assert launcher.see(instance)["PublicIpAddress"] == before
    wait_until(lambda: launcher.ssh(instance, "systemctl is-system-running", system).stdout.strip() == "running", 30)
    assert launcher.ssh(instance, "sudo cat /root/user-data", system).stdout == "once\n"


def test_a_reboot_from_inside_comes_back_at_the_same_address(launcher, machine, region):
    system, instance = machine
    before = launcher.see(instance)["PublicIpAddress"]
    boot = region.exec(instance, "cut", "-d ", "-f22", "/proc/1/stat").stdout
    launcher.ssh(instance, "sudo systemctl reboot", system)
    wait_until(lambda: region.exec(instance, "cut", "-d ", "-f22", "/proc/1/stat").stdout not in ("", boot), 30)
    launcher.wait_for_ssh(instance, system)
    assert launcher.see(instance)["PublicIpAddress"] == before


def test_rules_of_its_group_hold_at_once_and_for_just_whom_they_name(launcher, machine):
    _, instance = machine
    address = launcher.see(instance)["PublicIpAddress"]
    assert knock(address).startswith("SSH-2.0")
    assert knock(address, source="127.0.0.9") == "refused"
    launcher.forbid(22)
    try:
        assert knock(address) == "refused"
        launcher.allow(22, "127.0.0.9/32")
        assert knock(address, source="127.0.0.9").startswith("SSH-2.0")
        assert knock(address) == "refused"
        launcher.forbid(22, "127.0.0.9/32")
    finally:
        launcher.allow(22)
    assert knock(address).startswith("SSH-2.0")


def test_another_group_takes_the_place_of_the_first(launcher, machine):
    _, instance = machine
    address = launcher.see(instance)["PublicIpAddress"]
    empty = launcher.ec2.create_security_group(GroupName=f"empty-{instance}", Description="lets nobody in")["GroupId"]
    launcher.ec2.modify_instance_attribute(InstanceId=instance, Groups=[empty])
    assert knock(address) == "refused"
    launcher.ec2.authorize_security_group_ingress(GroupId=empty, IpPermissions=permissions(22, "127.0.0.0/8"))
    assert knock(address).startswith("SSH-2.0")
    launcher.ec2.modify_instance_attribute(InstanceId=instance, Groups=[launcher.group])
    launcher.ec2.delete_security_group(GroupId=empty)


def test_stopped_it_has_no_address_and_started_a_new_one_and_its_old_disk(launcher, machine):
    system, instance = machine
    before = launcher.see(instance)["PublicIpAddress"]
    launcher.ssh(instance, "echo kept > kept && sync", system)
    launcher.ec2.stop_instances(InstanceIds=[instance])
    assert launcher.state(instance) == "stopped"
    assert "PublicIpAddress" not in launcher.see(instance)
    assert knock(before) == "refused"
    launcher.ec2.start_instances(InstanceIds=[instance])
    assert launcher.state(instance) == "running"
    assert launcher.see(instance)["PublicIpAddress"] != before
    launcher.wait_for_ssh(instance, system)
    assert launcher.ssh(instance, "cat kept", system).stdout == "kept\n"


@pytest.mark.parametrize(("behaviour", "end"), [("stop", "stopped"), ("terminate", "terminated")])
def test_power_off_from_inside_ends_it_as_it_was_told_to(launcher, machine, region, behaviour, end):
    system, instance = machine
    launcher.ec2.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": behaviour})
    if launcher.state(instance) == "stopped":
        launcher.ec2.start_instances(InstanceIds=[instance])
        launcher.wait_for_ssh(instance, system)
    launcher.ssh(instance, "sudo poweroff", system)
    wait_until(lambda: launcher.state(instance) == end, 30)
    assert launcher.see(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert [one["up"] for one in region.machines() if one["instance"] == instance] == {"stop": [False]}.get(
        behaviour, []
    )
