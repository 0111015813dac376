# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real bucket mounted behind the relay, while what lies between goes wrong."""

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest
from buckets import FITS, RELAY, TREE, needs_fuse, needs_rclone, put

from ansible_collections.desi.lab.plugins.module_utils._mount import host

pytestmark = [*needs_fuse, needs_rclone]
SIZE = 24 << 20


@pytest.fixture
def mounted(run, path, base, middleman):
    result = run(bucket="lab", endpoint=middleman.endpoint, backend="rclone", relay=RELAY, cache=str(base / "cache"))
    assert result["changed"] is True
    return path


def relays(path):
    return [
        process
        for process in host.processes()
        if str(path) in process.command and Path(process.command[0]).name.startswith("python")
    ]


def test_bucket_behind_the_relay_is_read_as_it_is_and_a_second_run_changes_nothing(mounted, run, base, middleman):
    for name, data in TREE.items():
        assert (mounted / name).read_bytes() == data
    tags = [tag for path, _range, tag in middleman.asked if path.startswith("/lab/edr/a.fits")]
    assert tags
    assert all(tag.startswith('"') for tag in tags)
    again = run(bucket="lab", endpoint=middleman.endpoint, backend="rclone", relay=RELAY, cache=str(base / "cache"))
    assert again["changed"] is False
    run(state="unmounted")
    assert host.wait_until(lambda: not relays(mounted), 5)


def test_body_that_breaks_off_is_read_on_from_there(mounted, middleman):
    middleman.fault = "truncated"
    assert (mounted / "edr/a.fits").read_bytes() == FITS
    ranges = [range_ for path, range_, _tag in middleman.asked if path.startswith("/lab/edr/a.fits")]
    assert any(not range_.startswith("bytes=0-") and int(range_[6:].split("-")[0]) % 4096 for range_ in ranges), ranges


@pytest.fixture
def changing(s3):
    """Put an object there before the bucket is mounted."""
    put(f"{s3}/lab/edr/changing.fits", b"a" * SIZE)
    return f"{s3}/lab/edr/changing.fits"


def test_object_that_was_changed_is_never_mixed_with_what_it_was(changing, mounted):
    file = os.open(mounted / "edr/changing.fits", os.O_RDONLY)
    seen = {*os.read(file, 4096)}
    put(changing, b"b" * SIZE)
    with pytest.raises(OSError, match=r"Input/output|not connected|connection abort"):
        while piece := os.read(file, 1 << 20):
            seen |= {*piece}
    assert seen == {*b"a"}
    with contextlib.suppress(OSError):
        os.close(file)

    def new():
        try:
            return (mounted / "edr/changing.fits").read_bytes() == b"b" * SIZE
        except OSError:
            return False

    assert host.wait_until(new, 10)


def test_killed_relay_comes_back_with_its_tool(mounted):
    before = relays(mounted)
    assert len(before) == 1
    before[0].signal(signal.SIGKILL)
    assert host.wait_until(lambda: {one.pid for one in relays(mounted)} - {before[0].pid}, 10)
    assert host.wait_until(lambda: host.list_directory(f"{mounted}/dr1", 5).count == 1, 10)
    assert (mounted / "edr/a.fits").read_bytes() == FITS


def test_network_that_was_away_is_waited_for_or_read_as_an_error_but_never_for_ever(mounted, middleman):
    middleman.fault = 503
    done = []

    def read():
        try:
            done.append((mounted / "edr/a.fits").read_bytes())
        except OSError as problem:
            done.append(problem)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    middleman.fault = None
    reader.join(10)
    assert done == [FITS]
