# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount.cache import MARKER, make_cache
from ansible_collections.desi.lab.plugins.modules import mount_leftovers, root_directories

NOBODY = 65534

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own"),
    pytest.mark.security("M2", "G1"),
]


@pytest.fixture
def run(call):
    def run_module(module=mount_leftovers, _check=False, **arguments):
        return call(module, **arguments, _ansible_check_mode=_check)

    return run_module


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    (folder / "thesis").mkdir(parents=True)
    make_cache(str(folder / "lab-1"))
    return folder


def test_marked_caches_and_unused_programs_go_and_the_rest_is_named(run, scratch, tmp_path):
    (tmp_path / "desi-lab" / "relay-0123456789ab").mkdir(parents=True)
    (tmp_path / "desi-lab" / "watch").mkdir()
    known = {"cache": [str(scratch), str(tmp_path / "none")], "programs": str(tmp_path / "desi-lab")}
    code, would = run(**known, _check=True)
    assert (code, would["changed"], (scratch / "lab-1").exists()) == (0, True, True)
    code, done = run(**known)
    assert (code, done["left"]) == (0, [str(scratch / "thesis")])
    assert would["size"] == done["size"] > 0
    assert done["removed"] == [str(scratch / "lab-1"), "relay-0123456789ab"]
    assert [entry.name for entry in (tmp_path / "desi-lab").iterdir()] == ["watch"]
    assert run(**known)[1]["changed"] is False


def test_folder_of_somebody_is_named_and_left(run, scratch):
    os.chown(scratch, NOBODY, NOBODY)
    code, done = run(cache=[str(scratch)])
    assert (code, done["changed"], done["left"], "size" in done) == (0, False, [str(scratch)], False)
    assert (scratch / "lab-1" / MARKER).exists()


def test_what_an_earlier_version_left_in_a_home_is_named(run, tmp_path):
    home = tmp_path / "home"
    for name in ("lab-1", "mine"):
        (home / name).mkdir(parents=True)
    os.chown(home / "mine", NOBODY, NOBODY)
    (home / "link").symlink_to("lab-1")
    code, done = run(before=str(home))
    assert (code, done["changed"], done["left"]) == (0, False, [str(home / "lab-1")])
    assert (home / "lab-1").is_dir()


def test_many_names_are_not_all_told(run, tmp_path):
    for number in range(30):
        (tmp_path / f"f{number:02}").mkdir()
    left = run(cache=[str(tmp_path)])[1]["left"]
    assert (len(left), left[-1]) == (21, "and 10 more")


@pytest.mark.security("M1")
def test_directories_are_made_for_root_alone_where_they_are_caches(run, tmp_path):
    known = {"directories": [{"path": str(tmp_path / "a/view")}, {"path": str(tmp_path / "c"), "cache": True}]}
    code, would = run(root_directories, **known, _check=True)
    assert (code, would["changed"], list(tmp_path.iterdir())) == (0, True, [])
    code, done = run(root_directories, **known)
    assert (code, done["made"]) == (0, [str(tmp_path / "a/view"), str(tmp_path / "c")])
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "c" / MARKER).exists()
    assert run(root_directories, **known)[1]["changed"] is False


@pytest.mark.security("M1")
def test_nothing_is_made_if_one_of_them_could_be_changed_by_others(run, tmp_path):
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    known = [{"path": str(tmp_path / "view")}, {"path": str(tmp_path / "home/cache"), "cache": True}]
    for check in (True, False):
        code, refused = run(root_directories, directories=known, _check=check)
        assert code == 1
        assert "sudo install -d -m 0700" in refused["do"]
        assert [entry.name for entry in tmp_path.iterdir()] == ["home"]
        assert list((tmp_path / "home").iterdir()) == []
