# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.desi.lab.plugins.filter.mounts import mounter_command
from ansible_collections.desi.lab.plugins.module_utils._mount.mountinfo import is_our_device
from ansible_collections.desi.lab.plugins.module_utils._mount.unit_templates import loop_mountpoint, loop_settings

SAMPLE = {"bucket": "lab", "endpoint": "http://sample:8333", "prefix": "edr", "cache": "/cache", "cache_max": "1GiB"}


def rclone_command(spec, mountpoint):
    """Return the command of rclone, without the shell loop around it."""
    return mounter_command(spec, mountpoint)[7:]


def test_arguments_are_those_of_a_mount_on_the_host():
    command = rclone_command(SAMPLE, "/mounts/lab/.bucket")
    assert command[:2] == ["rclone", "mount"]
    assert command[3] == "/mounts/lab/.bucket"
    assert {
        "--read-only",
        "--cache-dir=/cache",
        "--vfs-cache-max-size=1073741824B",
        "--vfs-cache-poll-interval=10s",
    } <= set(command)
    (device,) = [word.partition("=")[2] for word in command if word.startswith("--devname=")]
    assert is_our_device(device)


def test_loop_is_known_by_its_mountpoint_and_settings():
    command = mounter_command(SAMPLE, "/m")
    assert loop_mountpoint(command) == "/m"
    assert loop_settings(command)["bucket"] == "lab"


@pytest.mark.parametrize(
    ("spec", "mountpoint", "why"),
    [
        ({"bucket": "lab", "buckets": 1}, "/m", "buckets"),
        ({"bucket": "lab"}, "relative", "path"),
    ],
)
def test_bad_settings_are_refused(spec, mountpoint, why):
    with pytest.raises(AnsibleFilterError, match=why):
        mounter_command(spec, mountpoint)
