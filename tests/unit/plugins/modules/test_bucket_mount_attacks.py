# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mount of root's, attacked from the clone that it came from, by other runs, and by who owns the directory."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from buckets import FITS, RELAY, needs_rclone

from ansible_collections.desi.lab.plugins.module_utils._mount import host
from ansible_collections.desi.lab.plugins.module_utils._mount.supervisors import LoopSupervisor

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


@pytest.fixture
def clone(base):
    """A clone with a relay and an rclone, which a notebook may write, as root's number in its container or not."""
    made = base / "clone"
    (made / ".venv/bin").mkdir(parents=True)
    shutil.copy2(shutil.which("rclone", path=host.search_path(())), made / ".venv/bin/rclone")
    for name, text in RELAY.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    return made


def served_by(path):
    """Return every process that serves the mount: the loop, the relay and the tool."""
    return [one for one in host.processes() if str(path) in one.command]


def poison(clone, marker):
    for file in clone.glob("desi_stream/*.py"):
        file.write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n")
    tool = clone / ".venv/bin/rclone"
    tool.unlink()
    tool.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    tool.chmod(0o755)


@pytest.mark.fuse
@needs_rclone
@pytest.mark.security("C1")
@pytest.mark.parametrize("owner", [0, NOBODY])
def test_what_a_notebook_writes_into_the_clone_is_never_run_by_root(
    run, path, base, clone, middleman, monkeypatch, owner
):
    for place in [clone, *clone.rglob("*")]:
        os.chown(place, owner, owner)
    bin_folder = str(clone / ".venv/bin")
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    relay = {name: (clone / name).read_text() for name in RELAY}
    wanted = {"bucket": "lab", "endpoint": middleman.endpoint, "backend": "rclone", "cache": str(base / "cache")}
    wanted |= {"relay": relay, "search": [bin_folder], "programs": str(base / "programs")}
    run(**wanted)
    marker = base / "taken"
    poison(clone, marker)
    # What a shell finds by name, too.
    for name in ("umount", "mkdir", "wc", "sleep", "sh", "python3"):
        (clone / ".venv/bin" / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (clone / ".venv/bin" / name).chmod(0o755)

    assert not [word for one in served_by(path) for word in one.command if str(clone) in word]
    for one in LoopSupervisor(str(path)).tools():
        one.signal(signal.SIGKILL)
    assert host.wait_until(lambda: host.list_directory(f"{path}/dr1", 5).count == 1, 15)
    assert (path / "edr/a.fits").read_bytes() == FITS
    for one in served_by(path):
        assert not str(Path(f"/proc/{one.pid}/exe").readlink()).startswith(str(clone))
    assert run(**wanted)["changed"] is False
    run(state="unmounted")
    assert not marker.exists()


@pytest.mark.fuse
@needs_rclone
@pytest.mark.security("L9")
def test_mount_of_an_earlier_version_is_replaced_and_its_cache_brought_without_a_download(run, path, base, middleman):
    home = base / "home"
    old = home / ".cache/desi-lab/lab-1"
    old.parent.mkdir(parents=True)
    wanted = {"bucket": "lab", "endpoint": middleman.endpoint, "backend": "rclone", "relay": RELAY}
    assert run(**wanted, cache=str(old))["changed"]
    assert (path / "edr/a.fits").read_bytes() == FITS
    run(**wanted, cache=str(old))
    os.chown(home, NOBODY, NOBODY)
    os.chown(home / ".cache", NOBODY, NOBODY)
    (old / ".desi-lab-cache").unlink()
    inode = old.stat().st_ino
    new = run(**wanted, cache=str(base / "new"), cache_before=str(old))
    assert (new["changed"], new["cache_left"]) == (True, "")
    assert (base / "new").stat().st_ino == inode
    assert any(file.stat().st_size == len(FITS) for file in (base / "new").rglob("a.fits"))
    assert not (home / ".cache/desi-lab").exists()
    assert (path / "edr/a.fits").read_bytes() == FITS


@pytest.fixture
def other_run():
    made = subprocess.Popen(["sleep", "60"])
    yield made
    made.kill()
    made.wait()


@pytest.mark.security("G5")
def test_mount_that_another_run_is_making_a_lab_with_is_not_ended(run, path, other_run):
    path.mkdir(parents=True)
    run(state="held", run=other_run.pid)
    assert run(state="unmounted", run=other_run.pid, _check=True)["held"] == ""
    run(state="held", run=other_run.pid, lab="other")
    kept = run(state="unmounted", run=os.getpid())
    assert (kept["changed"], path.is_dir()) == (False, True)
    assert str(other_run.pid) in kept["held"]
    assert run(state="unmounted", _check=True)["held"]
    # The run itself may take back what it made, and so may anybody once it has ended.
    other_run.kill()
    other_run.wait()
    assert run(state="unmounted", run=os.getpid())["changed"] is True
    assert not path.exists()


@pytest.mark.security("M1")
def test_mount_in_a_folder_of_somebody_is_not_taken_away_by_root(run, path):
    path.mkdir(parents=True)
    os.chown(path.parent, NOBODY, NOBODY)
    assert "not safe" in run(state="unmounted")["what"]
    assert path.is_dir()
