# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What shows the entries of a bucket that a container beside the lab has mounted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[4] / "roles/data/files/show_entries.py"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def show(place, seconds="0"):
    words = [sys.executable, "-I", "-c", PROGRAM.read_text(), str(place), ".bucket", seconds]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def place(tmp_path):
    """A directory with a mount in it."""
    (tmp_path / ".bucket").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path / ".bucket")], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path / ".bucket")], check=True)


@as_root
def test_entries_are_shown_and_follow_what_is_mounted(place):
    for name in ("edr", "dr1", "a name; of two words"):
        (place / ".bucket" / name).mkdir()
    (place / "gone").symlink_to(".bucket/gone")
    code, said = show(place)
    assert (code, said["changed"], said["entries"]) == (0, True, ["a name; of two words", "dr1", "edr"])
    links = {entry.name: str(entry.readlink()) for entry in place.iterdir() if entry.is_symlink()}
    assert links == {name: f".bucket/{name}" for name in said["entries"]}
    assert show(place) == (0, {"entries": said["entries"], "changed": False})


@as_root
def test_a_mount_without_entries_shows_nothing(place):
    assert show(place) == (1, {"entries": [], "changed": False})


def test_a_directory_that_is_no_mount_is_waited_for_and_shows_nothing(tmp_path):
    (tmp_path / ".bucket" / "edr").mkdir(parents=True)
    assert show(tmp_path, "0.3") == (1, {"entries": [], "changed": False})
    assert not (tmp_path / "edr").exists()
