# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every instance that the region reports running is a real machine, and what the API does to it happens to it."""

import hashlib
from pathlib import Path

import pytest
from launching import knock, permissions
from region.waiting import wait_until

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
MARK = "#!/bin/sh\necho once >> /root/user-data\n"


@pytest.fixture(scope="module")
def instance(launcher):
    """Return the number of a machine that runs Amazon Linux; Ubuntu is shown by tests of labs on it."""
    if not launcher.ec2.describe_security_groups(GroupIds=[launcher.group])["SecurityGroups"][0]["IpPermissions"]:
        launcher.allow(22)
    instance = launcher.launch(UserData=MARK)
    launcher.wait_for_ssh(instance)
    yield instance
    launcher.ec2.terminate_instances(InstanceIds=[instance])


def test_it_has_what_a_real_image_has_and_no_docker(launcher, instance):
    assert launcher.ssh(instance, "python3 -c 'import requests' && ls /dev/fuse").returncode == 0
    missing = "docker git rclone mount-s3"
    assert launcher.ssh(instance, f"command -v {missing}").stdout == ""
    trusted = launcher.ssh(instance, "sudo sha256sum < /etc/ssl/certs/ca-certificates.crt").stdout
    assert trusted.split()[0] == hashlib.sha256(AUTHORITIES.read_bytes()).hexdigest()


def test_amazons_tool_that_mounts_buckets_comes_from_dnf_and_mounts(launcher, instance, region):
    words = ["mount-s3 desidata /mnt --foreground --read-only --no-sign-request --force-path-style"]
    words.append(f"--endpoint-url={region.bucket_endpoint} >/dev/null 2>&1")
    command = f"sudo dnf -qy install mount-s3 && sudo mkdir -p /mnt && (sudo setsid {' '.join(words)} &)"
    done = launcher.ssh(instance, command)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: "SYNTHETIC" in launcher.ssh(instance, "sudo cat /mnt/README.md").stdout, 60)
    assert launcher.ssh(instance, "sudo umount /mnt && mount-s3 desidata /mnt --unheard-of").returncode == 2


def test_user_data_run_at_the_first_boot_and_a_reboot_keeps_the_address(launcher, instance, region):
    before = launcher.see(instance)["PublicIpAddress"]
    boot = region.exec(instance, "cut", "-d ", "-f22", "/proc/1/stat").stdout
    launcher.ec2.reboot_instances(InstanceIds=[instance])
    wait_until(lambda: region.exec(instance, "cut", "-d ", "-f22", "/proc/1/stat").stdout not in ("", boot), 90)
    launcher.wait_for_ssh(instance)
    assert launcher.see(instance)["PublicIpAddress"] == before
    wait_until(lambda: launcher.ssh(instance, "systemctl is-system-running").stdout.strip() == "running", 90)
    assert launcher.ssh(instance, "sudo cat /root/user-data").stdout == "once\n"


def test_rules_of_its_group_hold_at_once_and_for_just_whom_they_name(launcher, instance):
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


def test_another_group_takes_the_place_of_the_first(launcher, instance):
    address = launcher.see(instance)["PublicIpAddress"]
    empty = launcher.ec2.create_security_group(GroupName=f"empty-{instance}", Description="lets nobody in")["GroupId"]
    launcher.ec2.modify_instance_attribute(InstanceId=instance, Groups=[empty])
    assert knock(address) == "refused"
    launcher.ec2.authorize_security_group_ingress(GroupId=empty, IpPermissions=permissions(22, "127.0.0.0/8"))
    assert knock(address).startswith("SSH-2.0")
    launcher.ec2.modify_instance_attribute(InstanceId=instance, Groups=[launcher.group])
    launcher.ec2.delete_security_group(GroupId=empty)


def test_stopped_it_has_no_address_and_started_a_new_one_and_its_old_disk(launcher, instance):
    before = launcher.see(instance)["PublicIpAddress"]
    launcher.ssh(instance, "echo kept > kept && sync")
    launcher.ec2.stop_instances(InstanceIds=[instance])
    assert launcher.state(instance) == "stopped"
    assert "PublicIpAddress" not in launcher.see(instance)
    assert knock(before) == "refused"
    launcher.ec2.start_instances(InstanceIds=[instance])
    assert launcher.state(instance) == "running"
    assert launcher.see(instance)["PublicIpAddress"] != before
    launcher.wait_for_ssh(instance)
    assert launcher.ssh(instance, "cat kept").stdout == "kept\n"


@pytest.mark.parametrize(("behavior", "end"), [("stop", "stopped"), ("terminate", "terminated")])
def test_power_off_from_inside_ends_it_as_it_was_told_to(launcher, instance, region, behavior, end):
    launcher.ec2.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": behavior})
    if launcher.state(instance) == "stopped":
        launcher.ec2.start_instances(InstanceIds=[instance])
        launcher.wait_for_ssh(instance)
    launcher.ssh(instance, "sudo poweroff")
    wait_until(lambda: launcher.state(instance) == end, 90)
    assert launcher.see(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert [one["up"] for one in region.machines() if one["instance"] == instance] == {"stop": [False]}.get(
        behavior, []
    )
