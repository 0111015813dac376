# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.desi.lab.plugins.modules import data_layout_info

RELEASES = {"edr": {"specprod": "fuji"}, "dr1": {"specprod": "iron"}}


@pytest.fixture
def run(capsys):
    def run_module(**arguments):
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            data_layout_info.main()
        return caught.value.code, json.loads(capsys.readouterr().out)

    return run_module


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


def test_folder_around_is_told_with_the_child_that_fits(run, tiny):
    _code, result = run(path=str(tiny.parent), release="dr1", releases=RELEASES)
    assert (result["kind"], result["binds"]) == ("releases", [{"source": str(tiny), "inside": "dr1"}])


@pytest.mark.parametrize(
    ("path", "release", "says"),
    [
        ("tiny_dr1", "edr", "-e lab_release=dr1"),
        ("tiny_dr1/spectro", "dr1", "Give the whole release"),
        ("missing", "dr1", "it exists up to"),
        ("tiny_dr1", "dr9", "Choose one of them"),
    ],
)
def test_bad_input_fails_in_three_sentences(run, tiny, path, release, says):
    code, result = run(path=str(tiny.parent / path), release=release, releases=RELEASES)
    assert code == 1
    assert says in result["do"]
    assert result["msg"].splitlines() == [
        f"What  {result['what']}",
        f"Why   {result['why']}",
        f"Do    {result['do']}",
    ]


@pytest.mark.parametrize("missing", ["path", "release", "releases"])
def test_arguments_that_are_missing_fail(run, tiny, missing):
    arguments = {"path": str(tiny), "release": "dr1", "releases": RELEASES}
    del arguments[missing]
    code, result = run(**arguments)
    assert code == 1
    assert missing in result["msg"]
