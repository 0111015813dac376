# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real buckets of a real S3 server on loopback, mounted for real."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from buckets import FITS, NOBODY, needs_fuse, needs_rclone

from ansible_collections.desi.lab.plugins.filter.labs import mounter_command
from ansible_collections.desi.lab.plugins.module_utils._mount import ensure as mount_ensure
from ansible_collections.desi.lab.plugins.module_utils._mount import host
from ansible_collections.desi.lab.plugins.module_utils._mount import programs as mount_programs
from ansible_collections.desi.lab.plugins.module_utils._mount import state as mount_state
from ansible_collections.desi.lab.plugins.module_utils._mount import supervisors as mount_supervisors
from ansible_collections.desi.lab.plugins.module_utils._mount.mountinfo import mount_at, mounts_below

pytestmark = needs_fuse


def loops(path):
    return mount_supervisors.LoopSupervisor(str(path)).loops()


def tools(path):
    return mount_supervisors.LoopSupervisor(str(path)).tools()


def tool(path):
    assert host.wait_until(lambda: len(tools(path)) == 1, 5)
    return tools(path)[0]


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def shows(path):
    return host.list_directory(f"{path}/dr1", 5).count == 1


def code_of(path):
    return host.list_directory(str(path), 5).code


def assert_nothing_is_left(path):
    assert not mounts_below(host.read_mounts(), str(path.parent.parent))
    assert not loops(path)
    assert not tools(path)
    assert not os.path.lexists(path)
    assert not mount_supervisors.LoopSupervisor(str(path)).log_file.exists()


@needs_rclone
def test_bucket_is_mounted_seen_by_others_and_taken_away_without_a_trace(run, path, s3):
    first = run(bucket="lab", endpoint=s3, backend="rclone")
    assert (first["changed"], first["backend"], first["healed"], first["no_tool"]) == (True, "rclone", False, False)
    assert (first["supervisor"], first["unit"]) == ("process", "")
    assert first["diff"]["before"] == {"state": "unmounted"}
    assert first["diff"]["after"]["bucket"] == "lab"
    entry = mount_at(host.read_mounts(), str(path))
    assert entry.source == first["device"]
    assert first["device"].startswith("desi-lab:lab:")
    assert (path / "edr/a.fits").read_bytes() == FITS

    reader = subprocess.run(["cat", path / "edr/sub/b c.txt"], capture_output=True, user=NOBODY, check=True)
    assert reader.stdout == b"hello"
    with pytest.raises(OSError, match="Read-only"):
        (path / "new.txt").write_text("x")

    serving = tool(path).pid
    second = run(bucket="lab", endpoint=s3, backend="rclone")
    assert (second["changed"], second["device"]) == (False, first["device"])
    assert second["diff"]["before"] == second["diff"]["after"]
    assert tool(path).pid == serving

    gone = run(state="unmounted")
    assert (gone["changed"], gone["lazy"]) == (True, False)
    assert_nothing_is_left(path)
    assert run(state="unmounted")["changed"] is False


@needs_rclone
def test_mount_that_a_running_lab_uses_is_not_ended_by_the_settings_of_another(run, base, path, s3):
    """Files that are open in it would fail."""
    used = {"bucket": "lab", "endpoint": s3, "lab": "b", "used_by": ["a"]}
    assert run(**used, cache=f"{base}/cache", cache_max="20GiB")["changed"]
    serving = tool(path).pid
    for other, setting in [
        ({"cache": f"{base}/cache", "cache_max": "30GiB"}, "lab_cache_max=20GiB"),
        ({"cache": f"{base}/other/cache"}, f"lab_cache={base}"),
    ]:
        for check in (False, True):
            refused = run(**used, **other, _check=check)
            assert f"mounted with {setting}," in refused["what"]
            same = "Leave lab_cache out" if "cache=" in setting else f"Use -e {setting}"
            assert f"{same}, or stop that lab first: ./lab stop -e lab_name=a" in refused["do"]
    # Where nobody gave a folder, one of an earlier version is no difference, and what is cached is there.
    before = run(**used, cache=f"{base}/other/cache", cache_before=f"{base}/home/cache")
    assert (before["changed"], before["cache"]) == (False, f"{base}/cache")
    # What another version mounts otherwise is no reason, and what is not asked for is no difference.
    newer = {"relay": {"desi_stream/__main__.py": "raise SystemExit"}, "cache": f"{base}/cache"}
    for _time in range(2):
        kept = run(**used, **newer)
        assert (kept["changed"], kept["diff"]["before"]) == (False, kept["diff"]["after"])
    assert tool(path).pid == serving
    # Nobody reads from a dead one, nor where no lab runs.
    assert run(bucket="lab", endpoint=s3, cache=f"{base}/cache", cache_max="30GiB")["changed"]
    kill_all(path)
    assert run(**used, cache=f"{base}/cache", cache_max="40GiB")["changed"]


def kill_all(path):
    for process in [*loops(path), *tools(path)]:
        process.signal(signal.SIGKILL)
    assert host.wait_until(lambda: code_of(path) == errno.ENOTCONN, 5)


@needs_rclone
def test_changed_settings_mount_anew_and_a_working_mount_is_kept_if_they_cannot_work(run, base, path, s3):
    dry = run(bucket="lab", endpoint=s3, _check=True)
    assert (dry["changed"], dry["diff"]["after"]["state"], list(base.iterdir())) == (True, "mounted", [])
    run(bucket="lab", endpoint=s3)
    other = run(bucket="lab", prefix="/edr/", endpoint=s3)
    assert (other["changed"], other["healed"]) == (True, False)
    assert (other["diff"]["before"]["prefix"], other["diff"]["after"]["prefix"]) == ("", "edr")
    assert (names(path), len(tools(path))) == (["a.fits", "sub"], 1)
    serving = tool(path).pid
    assert "no bucket of this name" in run(bucket="absent", endpoint=s3)["why"]
    checks = [run(bucket="lab", prefix="edr", endpoint=s3, _check=True), run(bucket="other", endpoint=s3, _check=True)]
    assert [dry["changed"] for dry in (*checks, run(state="unmounted", _check=True))] == [False, True, True]
    assert (tool(path).pid, names(path)) == (serving, ["a.fits", "sub"])
    assert run(bucket="other", endpoint=s3)["changed"]
    assert names(path) == ["other.txt"]


@needs_rclone
def test_killed_tool_comes_back_and_a_dead_mount_is_healed_or_removed(run, path, s3):
    run(bucket="lab", endpoint=s3)
    killed = tool(path)
    killed.signal(signal.SIGKILL)
    assert host.wait_until(lambda: shows(path) and tool(path).pid != killed.pid, 10)
    assert run(bucket="lab", endpoint=s3)["changed"] is False
    kill_all(path)
    dry = run(bucket="lab", endpoint=s3, _check=True)
    assert (dry["changed"], dry["healed"], code_of(path)) == (True, True, errno.ENOTCONN)
    healed = run(bucket="lab", endpoint=s3)
    assert (healed["changed"], healed["healed"], healed["lazy"]) == (True, True, False)
    assert "Transport endpoint is not connected" in healed["diff"]["before"]["state"]
    assert (path / "edr/a.fits").read_bytes() == FITS
    kill_all(path)
    assert run(state="unmounted")["changed"]
    assert_nothing_is_left(path)


@needs_rclone
def test_mount_that_hangs_or_that_nobody_supervises_is_healed(run, path, s3, monkeypatch):
    monkeypatch.setattr(mount_state, "PATIENCE", 1.0)
    monkeypatch.setattr(mount_state, "GRACE", 0.5)
    run(bucket="lab", endpoint=s3)
    orphan = tool(path)
    for loop in loops(path):
        loop.signal(signal.SIGKILL)
    healed = run(bucket="lab", endpoint=s3)
    # Left alone, the tool may end by itself in the same moment, and then there is nothing to heal.
    assert (healed["changed"], len(loops(path))) == (True, 1)
    hung = tool(path)
    assert hung.pid != orphan.pid
    hung.signal(signal.SIGSTOP)
    healed = run(bucket="lab", endpoint=s3)
    assert (healed["changed"], healed["healed"]) == (True, True)
    assert healed["diff"]["before"]["state"] == "broken (no answer in time)"
    assert tool(path).pid != hung.pid
    assert shows(path)


@needs_rclone
def test_mount_in_use_is_unmounted_lazily_and_says_so(run, path, s3):
    run(bucket="lab", endpoint=s3)
    reader = subprocess.Popen(["sleep", "60"], cwd=path)
    try:
        gone = run(state="unmounted")
        assert (gone["changed"], gone["lazy"]) == (True, True)
        assert_nothing_is_left(path)
    finally:
        reader.kill()
        reader.wait()


@needs_rclone
def test_loop_unmounts_when_it_is_asked_to_end_and_leaves_no_bucket_that_looks_empty(run, path, s3):
    run(bucket="lab", endpoint=s3)
    loops(path)[0].signal(signal.SIGTERM)
    assert host.wait_until(lambda: not loops(path) and not tools(path), 5)
    assert mount_at(host.read_mounts(), str(path)) is None
    reader = subprocess.run(["ls", path], capture_output=True, user=NOBODY, check=False)
    assert b"Permission denied" in reader.stderr


@needs_rclone
def test_reader_with_a_slave_of_the_parent_sees_the_bucket_again_after_a_kill(run, path, s3):
    assert run(bucket="lab", endpoint=s3)["shared_parent"] == "bound"
    # What a container that was given the parent with rslave has: mounts of its own that follow ours.
    inside = ["unshare", "--mount", "--propagation", "slave", "sleep", "60"]
    reader = subprocess.Popen(inside)
    try:
        seen = f"/proc/{reader.pid}/root{path}"
        assert host.wait_until(lambda: Path(f"/proc/{reader.pid}/comm").read_text() == "sleep\n", 5)
        assert code_of(seen) == 0
        tool(path).signal(signal.SIGKILL)
        assert host.wait_until(lambda: code_of(seen) == errno.ENOTCONN, 5, 0.01)
        assert host.wait_until(lambda: shows(seen), 10)
        assert Path(seen, "dr1/x.txt").read_bytes() == b"dr1"
    finally:
        reader.kill()
        reader.wait()
    assert run(bucket="lab", endpoint=s3)["shared_parent"] == "bound"
    run(state="unmounted")
    assert_nothing_is_left(path)


@needs_rclone
def test_parent_is_shared_only_where_it_has_to_be(run, base, path, s3):
    assert "shared_parent" not in run(bucket="lab", endpoint=s3, shared_parent=False)
    later = run(bucket="lab", endpoint=s3)
    assert (later["changed"], later["healed"], later["shared_parent"], code_of(path)) == (True, False, "bound", 0)
    run(state="unmounted")
    host.bind_shared(str(base))
    assert run(bucket="lab", endpoint=s3)["shared_parent"] == "already"
    assert mount_at(host.read_mounts(), str(path.parent)) is None
    run(state="unmounted")
    assert mount_at(host.read_mounts(), str(base)) is not None


def test_what_something_else_mounts_in_a_held_parent_reaches_containers(run, path):
    parent = str(path.parent)
    path.parent.mkdir(parents=True)
    assert run(state="held", _check=True)["changed"]
    assert mount_at(host.read_mounts(), parent) is None
    assert [run(state="held")["changed"] for _ in range(2)] == [True, False]
    assert mount_at(host.read_mounts(), parent).shared
    assert run(state="unmounted")["changed"]
    assert mount_at(host.read_mounts(), parent) is None


def test_foreign_mount_is_refused_and_kept(run, path):
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "foreign", path], check=True)
    (path / "mine").write_text("mine")
    try:
        for state in ("mounted", "unmounted"):
            failed = run(state=state, bucket="lab", endpoint="http://127.0.0.1:9")
            assert "another mount" in failed["what"]
            assert "foreign (tmpfs)" in failed["why"]
        assert (path / "mine").read_text() == "mine"
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: (path / "thesis").mkdir(parents=True), "not empty"),
        (Path.touch, "a file"),
        (lambda path: path.symlink_to(path.parent), "a symbolic link"),
    ],
)
def test_whatever_is_in_the_place_of_the_mountpoint_is_refused_and_kept(run, path, make, why):
    path.parent.mkdir()
    make(path)
    before = [path, *path.glob("*")]
    assert why in run(bucket="lab", endpoint="http://127.0.0.1:9")["why"]
    assert run(state="unmounted")["changed"] is False
    assert [path, *path.glob("*")] == before
    assert os.path.lexists(path)


@needs_rclone
def test_cache_is_filled_private_kept_and_for_one_mount_alone(run, base, path, s3):
    cache = base / "cache"
    run(bucket="lab", endpoint=s3, cache=str(cache), cache_max="1GiB")
    assert (path / "edr/a.fits").read_bytes() == FITS
    assert cache.stat().st_mode & 0o777 == 0o700
    failed = run(path=str(base / "second"), bucket="other", endpoint=s3, cache=str(cache))
    assert ("two would spoil it" in failed["why"], (base / "second").exists()) == (True, False)
    run(state="unmounted")
    cached = [file for file in cache.rglob("a.fits") if file.stat().st_size == len(FITS)]
    assert cached[0].read_bytes() == FITS


@needs_rclone
def test_each_reason_is_told_in_its_own_words_and_nothing_is_left(run, base, s3):
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        cases = [
            (f"http://127.0.0.1:{black_hole.getsockname()[1]}", "", "did not answer within 1 s"),
            (s3, "nothing/here", 'nothing under the prefix "nothing/here/"'),
        ]
        for endpoint, prefix, why in cases:
            began = time.monotonic()
            failed = run(endpoint=endpoint, bucket="lab", prefix=prefix, backend="rclone", timeout=1)
            assert why in failed["why"], failed
            assert failed["what"] and failed["do"]
            assert time.monotonic() - began < 4
            assert list(base.iterdir()) == []


def test_missing_tool_says_so_to_the_role(run, base, monkeypatch):
    monkeypatch.setattr(mount_ensure, "find_tools", lambda *_: ({}, []))
    failed = run(bucket="lab", endpoint="http://127.0.0.1:9")
    assert failed["no_tool"] is True
    assert "rclone or mount-s3" in failed["why"]
    dry = run(bucket="lab", endpoint="http://127.0.0.1:9", _check=True)
    assert (dry["no_tool"], dry["changed"], dry.get("failed", False)) == (True, True, False)


def stand_in(base, name, lines, monkeypatch):
    """Make a program that takes the place of a mount tool, as if a package had put it there."""
    monkeypatch.setattr(mount_programs, "SYSTEM_PLACES", (*mount_programs.SYSTEM_PLACES, str(base)))
    folder = base / "bin"
    folder.mkdir()
    program = folder / name
    program.write_text("\n".join(["#!/bin/bash", *lines, ""]))
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["echo '2026/11/22 10:00:00 ERROR : the disk is on fire' >&2", "exit 3"], "the disk is on fire"),
        (["exec sleep 30"], "did not mount within 1 s"),
    ],
)
def test_tool_that_fails_is_quoted_and_nothing_is_left(run, base, path, s3, lines, why, monkeypatch):
    lines = ["[ $1 = version ] && { echo rclone v1.70.0; exit; }", *lines]
    search = stand_in(base, "rclone", lines, monkeypatch)
    began = time.monotonic()
    failed = run(bucket="lab", endpoint=s3, backend="rclone", search=[search], timeout=1)
    assert why in failed["why"], failed
    assert time.monotonic() - began < 8
    assert_nothing_is_left(path)
    assert not path.parent.exists()


def rclone_as(base, name, version, options, monkeypatch):
    """Return the folder of a stand-in for another tool: rclone underneath, at ``$url``."""
    mount = f"exec -a {name} {shutil.which('rclone')} mount"
    lines = [
        f"[ $1 = --version ] && {{ echo {version}; exit; }}",
        'for word in "$@"; do case $word in --endpoint-url=*) url=${word#*=};; esac; done',
        "remote=\":s3,provider=Other,env_auth=false,endpoint='$url':$1\"",
        f'{mount} "$remote" "$2" --config=/dev/null --allow-other --read-only {options}',
    ]
    return stand_in(base, name, lines, monkeypatch)


@needs_rclone
def test_tool_that_names_its_device_itself_is_recognized_by_its_command(run, base, path, s3, monkeypatch):
    search = rclone_as(base, "mount-s3", "mount-s3 1.22.0", "--devname=mountpoint-s3", monkeypatch)
    wanted = {"bucket": "lab", "endpoint": s3, "backend": "mount-s3", "search": [search]}
    assert run(**wanted)["changed"]
    assert mount_at(host.read_mounts(), str(path)).source == "mountpoint-s3"
    assert run(**wanted)["changed"] is False
    changed = run(**{**wanted, "bucket": "other"})
    assert (changed["changed"], changed["healed"]) == (True, False)
    assert names(path) == ["other.txt"]
    run(state="unmounted")
    assert_nothing_is_left(path)


@needs_rclone
def test_live_mount_of_that_tool_which_others_made_is_refused(run, base, path, s3, monkeypatch):
    program = rclone_as(base, "mount-s3", "mount-s3 1.22.0", "--devname=mountpoint-s3", monkeypatch)
    path.mkdir(parents=True)
    others = subprocess.Popen([f"{program}/mount-s3", "lab", path, f"--endpoint-url={s3}"])
    try:
        assert host.wait_until(lambda: mount_at(host.read_mounts(), str(path)), 5)
        assert "another mount" in run(state="unmounted")["what"]
        assert code_of(path) == 0
        assert host.unmount_call(str(path)) == 0
    finally:
        others.wait(5)


@needs_rclone
@pytest.mark.parametrize("then", ["rclone", "no tool", "unmounted"])
def test_mount_of_s3fs_as_0_1_0_made_it_is_replaced_or_removed(run, base, path, s3, then, monkeypatch):
    program = rclone_as(base, "s3fs", "1.90", "--devname=desi-lab:lab:0123abcd", monkeypatch)
    path.mkdir(parents=True)
    command = [f"{program}/s3fs", "lab", str(path), f"--endpoint-url={s3}", "-o", "fsname=desi-lab:lab:0123abcd"]
    loop = mount_supervisors.LoopSupervisor(str(path))
    loop._start(mount_supervisors.Job("s3fs", command, {"bucket": "lab", "backend": "s3fs"}, {}))
    assert host.wait_until(lambda: shows(path), 10)
    if then == "rclone":
        warnings = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
        result = run(bucket="lab", endpoint=s3, backend="rclone")
        assert (result["changed"], result["healed"], shows(path)) == (True, False, True)
        assert "s3fs, which is no longer used" in warnings[0]
        assert "rclone" in tool(path).command[0]
    else:
        wanted = {"state": "unmounted"} if then == "unmounted" else {"bucket": "lab", "backend": "mount-s3"}
        assert run(**wanted)["no_tool"] is (then == "no tool")
        assert_nothing_is_left(path)


@needs_rclone
def test_command_for_a_container_mounts_comes_back_and_unmounts_when_it_is_stopped(base, s3):
    mountpoint = base / "m"
    mounter = subprocess.Popen(mounter_command({"bucket": "lab", "endpoint": s3}, str(mountpoint)))
    try:
        assert host.wait_until(lambda: shows(mountpoint), 10)
        killed = tool(mountpoint)
        killed.signal(signal.SIGKILL)
        assert host.wait_until(lambda: shows(mountpoint) and tool(mountpoint).pid != killed.pid, 10)
        mounter.terminate()
        assert mounter.wait(5) == 0
    finally:
        mounter.kill()
        mounter.wait()
    assert mount_at(host.read_mounts(), str(mountpoint)) is None
    assert not tools(mountpoint)
