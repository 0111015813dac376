# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount import shared_place
from ansible_collections.desi.lab.plugins.module_utils._mount.shared_place import (
    place_of,
    why_not_bound,
    why_not_written,
)

TABLE = """\
1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
2 1 0:40 / {0}/ann rw,nosuid - fuse.sshfs ann@host: rw,user_id=1000,group_id=1000
3 1 0:41 / {0}/all rw - fuse.sshfs ann@host: rw,user_id=1000,group_id=1000,allow_other
4 1 0:42 / {0}/root rw - fuse.rclone x rw,user_id=0,group_id=0
5 1 0:43 / {0}/nfs ro - nfs4 server:/x rw,vers=4.2
6 1 0:44 / {0}/super rw - nfs4 server:/x ro,vers=4.2
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    table.write_text(TABLE.format(tmp_path))
    monkeypatch.setattr(shared_place, "MOUNTS", table)

    def about(name):
        (tmp_path / name / "below").mkdir(parents=True)
        return place_of(str(tmp_path / name / "below"))

    return about


@pytest.mark.parametrize(
    ("name", "rootless", "uid", "bound", "written"),
    [
        ("ann", False, 1000, "only the user 1000 may enter, and not even root", ""),
        ("ann", True, 1000, "", ""),
        ("ann", True, 1001, "only the user 1000 may enter, and not the user 1001", ""),
        ("all", False, 1001, "", ""),
        ("root", False, 0, "", ""),
        ("root", False, 1000, "only the user 0 may enter, and not the user 1000", ""),
        ("nfs", False, 1000, "", "is mounted read-only."),
        ("super", False, 1000, "", "is mounted read-only."),
        ("plain", False, 1000, "", ""),
    ],
)
def test_directory_that_an_engine_cannot_give_away_is_told_with_its_mount(place, name, rootless, uid, bound, written):
    about = place(name)
    found = (why_not_bound(about, rootless, uid), why_not_written(about))
    assert [bool(each) for each in found] == [bool(bound), bool(written)]
    assert bound in found[0]
    assert written in found[1]
    assert all(about["mount"] in each for each in found if each)


def test_full_disk_is_told_and_an_unknown_place_is_no_hindrance(monkeypatch, tmp_path):
    assert "is full" in why_not_written({"mount": "/x", "full": True})
    monkeypatch.setattr(shared_place, "MOUNTS", tmp_path / "none")
    assert (place_of("/"), why_not_bound({}, False), why_not_written({})) == ({}, "", "")
