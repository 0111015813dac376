# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from functools import partial

import pytest

from ansible_collections.desi.lab.plugins.modules import data_layout_info
from ansible_collections.desi.lab.plugins.plugin_utils._mount_placement import volumes

RELEASES = {"edr": {"specprod": "fuji"}, "dr1": {"specprod": "iron"}}


@pytest.fixture
def run(call):
    return partial(call, data_layout_info)


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny_dr1" / "spectro" / "redux" / "iron").mkdir(parents=True)
    return tmp_path / "tiny_dr1"


@pytest.mark.parametrize("check_mode", [False, True])
def test_layout_is_told_as_plain_data(run, tiny, check_mode):
    code, result = run(path=str(tiny), release="DR1", releases=RELEASES, _ansible_check_mode=check_mode)
    assert (code, result["changed"]) == (0, False)
    assert {key: result[key] for key in ("kind", "release", "specprod", "binds")} == {
        "kind": "release",
        "release": "dr1",
        "specprod": "iron",
        "binds": [{"source": str(tiny), "inside": "dr1"}],
    }


@pytest.mark.parametrize("path", ["tiny_dr1/spectro", "missing"])
def test_what_is_no_data_fails_in_three_sentences(run, tiny, path):
    code, result = run(path=str(tiny.parent / path), release="dr1", releases=RELEASES)
    assert code == 1
    assert result["msg"] == f"What  {result['what']}\nWhy   {result['why']}\nDo    {result['do']}"


@pytest.mark.parametrize(
    ("shared", "writable", "there"),
    [
        ("link", False, ["desi/tiny_dr1"]),
        (".", False, ["ann/desi/tiny_dr1"]),
        ("link", True, []),
        ("ann/des", False, []),
        # Work that lies in the data.
        ("ann/desi/tiny_dr1", False, []),
        ("ann/desi/tiny_dr1/spectro", False, []),
    ],
)
def test_data_in_the_shared_directory_are_read_only_there_too(run, tiny, shared, writable, there):
    top = tiny.parent
    (top / "ann/desi").mkdir(parents=True)
    tiny.rename(top / "ann/desi/tiny_dr1")
    (top / "link").symlink_to("ann")
    (top / "ann/des").mkdir()
    given = {"path": f"{top}/link/desi/tiny_dr1", "shared": f"{top}/{shared}", "writable": writable}
    _code, result = run(release="dr1", releases=RELEASES, links=True, **given)
    data, *more = volumes(result["binds"], "/home/desidata", "rw" if writable else "ro")
    assert data == f"{given['path']}:/home/desidata/dr1:{'rw' if writable else 'ro'}"
    assert more == [f"{top}/ann/desi/tiny_dr1:/home/synced/{place}:ro" for place in there]


def test_release_that_lies_elsewhere_in_the_shared_directory_is_read_only_there_too(run, tiny):
    (tiny.parent / "desi").mkdir()
    (tiny.parent / "desi/dr1").symlink_to("../tiny_dr1")
    given = {"path": f"{tiny.parent}/desi", "shared": str(tiny.parent), "links": True}
    _code, result = run(release="dr1", releases=RELEASES, **given)
    there = {each["inside"]: each["source"] for each in result["binds"][1:]}
    assert there == {"/home/synced/desi": given["path"], "/home/synced/tiny_dr1": str(tiny)}
