# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from functools import partial

import pytest

from ansible_collections.desi.lab.plugins.modules import data_layout_info

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
