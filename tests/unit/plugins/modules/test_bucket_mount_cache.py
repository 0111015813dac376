# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cache that outlives what happens to its mount: real mounts, a real disk that is full."""

import contextlib
import json
import os
import shutil
import signal
import subprocess

import pytest
from buckets import FITS, RELAY, needs_fuse, needs_rclone, put

from ansible_collections.desi.lab.plugins.module_utils._mount import host
from ansible_collections.desi.lab.plugins.module_utils._mount import supervisors as mount_supervisors

pytestmark = [*needs_fuse, needs_rclone]
SIZE = 12 << 20
NAMES = ("one", "two", "three")


def content(name):
    return (name.encode() * SIZE)[:SIZE]


@pytest.fixture
def large(s3):
    for name in NAMES:
        put(f"{s3}/lab/large/{name}.fits", content(name))


@pytest.fixture
def mount(large, run, middleman, base):
    """Mount with a cache in a folder of the test; the same again each time."""

    def again(cache=base / "cache", **more):
        return run(bucket="lab", endpoint=middleman.endpoint, backend="rclone", relay=RELAY, cache=str(cache), **more)

    return again


def noted(cache, name):
    """How many bytes of a file the cache's own notes tell of."""
    notes = [json.loads(file.read_text()) for file in (cache / "vfsMeta").rglob(f"{name}.fits")]
    return sum(part["Size"] for note in notes for part in note.get("Rs") or [])


def test_cache_survives_its_mount_and_answers_without_the_server(mount, run, path, base, middleman):
    first = mount()
    assert 0 < first["cache_max"] <= max(shutil.disk_usage(base).free, 2 << 30)
    again = mount()
    assert (again["changed"], again["cache_max"]) == (False, first["cache_max"])
    assert (path / "large/one.fits").read_bytes() == content("one")
    # The tool notes what it holds of a file when it has let go of it, five seconds after the last reader.
    assert host.wait_until(lambda: noted(base / "cache", "one") == SIZE, 20)
    run(state="unmounted")
    middleman.asked.clear()
    mount()
    assert (path / "large/one.fits").read_bytes() == content("one")
    assert not [asked for asked, _range, _tag in middleman.asked if "one.fits" in asked]


def test_tool_that_is_killed_while_a_file_comes_in_leaves_nothing_wrong_behind(mount, path):
    mount()
    for _ in range(3):
        file = os.open(path / "large/two.fits", os.O_RDONLY)
        with contextlib.suppress(OSError):
            os.read(file, 3 << 20)
        tool = mount_supervisors.LoopSupervisor(str(path)).tools()[0]
        tool.signal(signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.close(file)
        assert host.wait_until(lambda: host.list_directory(f"{path}/large", 5).count >= len(NAMES), 15)
    assert (path / "large/two.fits").read_bytes() == content("two")


def test_disk_that_is_full_never_makes_wrong_bytes(mount, path, base):
    disk = base / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(disk)], check=True)
    try:
        mount(cache=disk / "cache")
        for name in NAMES:
            with contextlib.suppress(OSError):
                assert (path / f"large/{name}.fits").read_bytes() == content(name)
        # What is small enough is read all the same.
        assert (path / "edr/a.fits").read_bytes() == FITS
    finally:
        mount_supervisors.stop_all([mount_supervisors.LoopSupervisor(str(path))], 5)
        host.unmount_call(str(path), lazily=True)
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
