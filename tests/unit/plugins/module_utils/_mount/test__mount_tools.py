# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import (
    NoTool,
    Tool,
    choose_tool,
    mount_command,
    rclone_remote,
)

PUBLIC = make_spec({"bucket": "desidata"})
MIRROR = make_spec(
    {"bucket": "lab", "prefix": "edr/fuji", "endpoint": "http://127.0.0.1:8333", "cache": "/c", "cache_max": "20GiB"}
)
PRIVATE = make_spec({"bucket": "mine", "anonymous": False, "read_only": False})
RCLONE = Tool("rclone", "/opt/bin/rclone", (1, 75, 2))
MOUNT_S3 = Tool("mount-s3", "/usr/bin/mount-s3", (1, 22, 0))


def test_rclone_at_amazon_needs_no_configuration_and_asks_anonymously():
    command = mount_command(RCLONE, PUBLIC, "/m", "desi-lab:desidata:0")
    assert command[:2] == ["/opt/bin/rclone", "mount"]
    assert command[2] == (
        ":s3,provider=AWS,region=us-west-2,env_auth=false,force_path_style=false,no_check_bucket=true,list_version=2:desidata"
    )
    assert command[3] == "/m"
    assert {"--config=/dev/null", "--read-only", "--allow-other", "--devname=desi-lab:desidata:0"} <= set(command)
    assert not [word for word in command if "cache-dir" in word or "vfs-cache" in word]


def test_rclone_at_a_mirror_with_prefix_and_cache():
    command = mount_command(RCLONE, MIRROR, "/m", "d")
    assert 'provider=Other,endpoint="http://127.0.0.1:8333",' in command[2]
    assert "force_path_style=true" in command[2]
    assert command[2].endswith(":lab/edr/fuji")
    expected = {"--vfs-cache-mode=full", "--cache-dir=/c", "--vfs-cache-max-size=21474836480B", "--vfs-read-ahead=32M"}
    assert expected <= set(command)
    assert {"--vfs-read-chunk-size=4M", "--vfs-read-chunk-streams=8"} <= set(command)


def test_rclone_takes_credentials_and_writes_only_where_that_was_wanted():
    assert "env_auth=true" in rclone_remote(PRIVATE)
    command = mount_command(RCLONE, PRIVATE, "/m", "d")
    assert "--read-only" not in command
    assert "--dir-cache-time=1h" not in command


@pytest.mark.parametrize(
    ("version", "streams", "free"), [((1, 60, 1), False, False), ((1, 64), False, True), ((1, 68), True, True)]
)
def test_rclone_is_given_no_option_that_it_does_not_know(version, streams, free):
    command = mount_command(Tool("rclone", "rclone", version), MIRROR, "/m", "d")
    assert ("--vfs-read-chunk-streams=8" in command) is streams
    assert ("--vfs-cache-min-free-space=2G" in command) is free


def test_mount_s3_at_amazon():
    words = "--foreground --allow-other --read-only --no-sign-request --metadata-ttl=3600 --region=us-west-2"
    assert mount_command(MOUNT_S3, PUBLIC, "/m", "ignored") == ["/usr/bin/mount-s3", "desidata", "/m", *words.split()]


def test_mount_s3_at_a_mirror_with_prefix_and_cache():
    command = mount_command(MOUNT_S3, MIRROR, "/m", "")
    expected = {"--endpoint-url=http://127.0.0.1:8333", "--force-path-style", "--prefix=edr/fuji/", "--cache=/c"}
    assert expected | {"--max-cache-size=20480"} <= set(command)


def test_mount_s3_with_credentials_that_may_write():
    command = mount_command(MOUNT_S3, PRIVATE, "/m", "")
    assert not {"--read-only", "--no-sign-request", "--metadata-ttl=3600"} & set(command)


@pytest.mark.parametrize("tool", [RCLONE, MOUNT_S3])
@pytest.mark.parametrize("spec", [PUBLIC, MIRROR, PRIVATE])
def test_no_command_line_holds_a_key_or_an_empty_word(tool, spec):
    command = mount_command(tool, spec, "/m", "d")
    assert all(command)
    assert not [word for word in command if "secret" in word.lower() or "access_key" in word.lower()]


def tools(*versions):
    return {tool.backend: tool for tool in versions}


OLD = Tool("rclone", "rclone", (1, 60, 1))
ANCIENT = Tool("rclone", "rclone", (1, 53, 3))


@pytest.mark.parametrize(
    ("spec", "installed", "backend", "why"),
    [
        (PUBLIC, [RCLONE, MOUNT_S3], "mount-s3", "bucket is at Amazon"),
        (MIRROR, [RCLONE, MOUNT_S3], "rclone", "rclone 1.75.2 is installed"),
        (PUBLIC, [OLD], "rclone", "is old, but nothing else"),
        (PUBLIC, [ANCIENT, MOUNT_S3], "mount-s3", "bucket is at Amazon"),
    ],
)
def test_auto_takes_the_best_that_is_there_and_says_why(spec, installed, backend, why):
    tool, reason = choose_tool("auto", spec, tools(*installed))
    assert tool.backend == backend
    assert why in reason


def test_mount_s3_with_a_cache_says_that_the_cache_does_not_last():
    spec = make_spec({"bucket": "desidata", "cache": "/c"})
    assert "empties its cache" in choose_tool("auto", spec, tools(MOUNT_S3))[1]


def test_the_tool_that_was_asked_for_is_taken():
    assert choose_tool("rclone", PUBLIC, tools(RCLONE, MOUNT_S3)) == (RCLONE, "as asked for")


@pytest.mark.parametrize(
    ("backend", "installed", "why"),
    [
        ("auto", [], "rclone or mount-s3 was looked for."),
        ("auto", [ANCIENT], "rclone 1.53.3 is: it is too old"),
        ("auto", [Tool("mount-s3", "x", (1,))], "looked for"),
        ("mount-s3", [RCLONE], "mount-s3 was looked for"),
        ("rclone", [ANCIENT], "too old"),
    ],
)
def test_without_a_usable_tool_it_says_what_was_looked_for(backend, installed, why):
    with pytest.raises(NoTool) as caught:
        choose_tool(backend, MIRROR, tools(*installed))
    assert why in caught.value.why


RELAY = replace(RCLONE, relay=("/usr/bin/python3", "/lib/stream", "--build=0"))


def test_current_rclone_goes_before_mount_s3_where_the_cache_is_to_last():
    spec = make_spec({"bucket": "desidata", "cache": "/c"})
    tool, reason = choose_tool("auto", spec, tools(RCLONE, MOUNT_S3))
    assert (tool, "keeps its cache" in reason) == (RCLONE, True)
    assert choose_tool("auto", spec, tools(OLD, MOUNT_S3))[0] == MOUNT_S3
    assert choose_tool("auto", PUBLIC, tools(RCLONE, MOUNT_S3))[0] == MOUNT_S3


def test_relay_stands_before_rclone_and_tells_it_all_but_the_bucket():
    spec = make_spec({"bucket": "desidata", "prefix": "dr1", "cache": "/c"})
    command = mount_command(RELAY, spec, "/m", "d")
    relay, rclone = command[: command.index("--")], command[command.index("--") + 1 :]
    assert relay[:3] == ["/usr/bin/python3", "/lib/stream", "--build=0"]
    assert {"--endpoint=https://s3.us-west-2.amazonaws.com", "--keep=/c/relay.json"} <= set(relay)
    assert rclone[:4] == ["/opt/bin/rclone", "mount", "desi:desidata/dr1", "/m"]
    assert {"--vfs-read-chunk-size=64K", "--buffer-size=0", "--async-read=false"} <= set(rclone)
    assert not [word for word in rclone if "config" in word or "streams" in word or "vfs-read-ahead" in word]


@pytest.mark.parametrize(
    "spec",
    [PRIVATE, make_spec({"bucket": "mine", "anonymous": False}), make_spec({"bucket": "mine", "read_only": False})],
)
def test_relay_is_left_out_where_requests_are_signed_or_written(spec):
    assert mount_command(RELAY, spec, "/m", "d") == mount_command(RCLONE, spec, "/m", "d")


def test_other_tools_know_no_relay():
    other = replace(MOUNT_S3, relay=RELAY.relay)
    assert mount_command(other, PUBLIC, "/m", "d") == mount_command(MOUNT_S3, PUBLIC, "/m", "d")


@pytest.mark.parametrize(("memory", "is_small"), [(1 << 30, True), (2 << 30, False), (0, False)])
def test_settings_follow_the_memory_of_the_machine(memory, is_small):
    direct = mount_command(replace(RCLONE, memory=memory), PUBLIC, "/m", "d")
    assert ("--vfs-read-chunk-size=1M" in direct) is is_small
    behind = mount_command(replace(RELAY, memory=memory), PUBLIC, "/m", "d")
    assert ("--memory=48" in behind) is is_small
    current = replace(MOUNT_S3, version=(1, 24), memory=memory)
    assert ("--memory-target=256" in mount_command(current, PUBLIC, "/m", "d")) is is_small
    assert "--memory-target=256" not in mount_command(replace(MOUNT_S3, memory=memory), PUBLIC, "/m", "d")
