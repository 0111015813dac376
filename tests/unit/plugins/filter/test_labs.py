# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.filter.labs import (
    FilterModule,
    instance_changes,
    mounter_command,
    status_document,
    status_table,
)
from ansible_collections.desi.lab.plugins.module_utils._mount.mountinfo import is_our_device
from ansible_collections.desi.lab.plugins.module_utils._mount.unit_templates import loop_mountpoint, loop_settings

MACHINE = {"type": "t2.micro", "disk_gib": 30}
SAMPLE = {"bucket": "lab", "endpoint": "http://sample:8333", "prefix": "edr", "cache": "/cache", "cache_max": "1GiB"}


def test_url_at_another_place_is_a_filter():
    url_at = FilterModule().filters()["url_for_address"]
    assert url_at("http://127.0.0.1:8888/lab", "203.0.113.7", 443, "https") == "https://203.0.113.7/lab"
    assert url_at("http://127.0.0.1:8888/lab", "203.0.113.7", 8888) == "http://203.0.113.7:8888/lab"


def test_what_the_filter_cannot_do_is_told_in_three_sentences():
    with pytest.raises(AnsibleFilterError, match=r"What .*\nWhy .*\nDo "):
        FilterModule().filters()["url_for_address"]("rubbish", "h", 80)


def found():
    return status_document({"labs": [], "engine": False, "reason": "why " * 60}, [], [])


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("1000", 100), ("", 80)])
def test_status_is_as_wide_as_the_terminal_and_never_too_wide_to_read(monkeypatch, columns, widest):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(Display(), "columns", 79)
    lengths = [len(line) for line in status_table(found()).splitlines()]
    assert widest - 5 < max(lengths) <= widest


@pytest.mark.parametrize("types", ["t3.small,t3.large", ["t3.small", "t3.large"]])
def test_types_are_taken_as_people_give_them(types):
    found = instance_changes(MACHINE, types, "40", "desi")
    assert (found["type"], found["disk_gib"], found["error"]) == ("t3.small", 40, {})


@pytest.mark.parametrize(("types", "disk"), [("", 0), ([], "0"), ("t2.micro", 30)])
def test_what_was_not_asked_for_or_is_so_already_stays(types, disk):
    assert instance_changes(MACHINE, types, disk, "desi")["lines"] == []


def test_impossible_change_is_returned_as_an_error():
    found = instance_changes(MACHINE, "t3.small", 8, "desi")
    assert found["type"] == ""
    assert sorted(found["error"]) == ["do", "what", "why"]


def test_value_that_is_no_instance_raises_a_filter_error():
    with pytest.raises(AnsibleFilterError):
        instance_changes({}, "", 0, "desi")


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


@pytest.mark.parametrize("system", [None, [], {"programs": 5}, {"programs": [[]], "updated": True, "distribution": ""}])
def test_instance_that_answers_something_else_raises_a_filter_error(system):
    with pytest.raises(AnsibleFilterError, match="does not say as it should"):
        FilterModule().filters()["instance_lacks"]({"folder": {"exists": True}, "system": system})
