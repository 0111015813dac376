# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from fake_engine import container, fake_engine

from ansible_collections.desi.lab.plugins.action.shared_directory import ActionModule

pytestmark = pytest.mark.security("H3", "P2")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the home of a person, in which a clone lies."""
    folder = tmp_path / "ann"
    for name in (".ssh", "work", "clone/docs"):
        (folder / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def run(home, act):
    """Return a function that chooses a folder, and gives the result."""

    def go(check=False, **options):
        given = {"own": str(home / "desi-labs/desi"), "programs": [str(home / "clone")], **options}
        given = {name: str(value) if isinstance(value, os.PathLike) else value for name, value in given.items()}
        return act(ActionModule, check_mode=check, **given)

    return go


def test_where_one_stands_is_shared_if_it_is_for_work(run, home):
    result = run(standing=home / "work")
    assert (result["folder"], result["changed"], result["instead"]) == (str(home / "work"), False, "")


@pytest.mark.parametrize("place", ["clone/docs", ".."])
def test_a_lab_gets_a_folder_of_its_own_where_one_stands_in_what_is_not_for_notebooks(run, home, place):
    result = run(standing=home / place)
    own = home / "desi-labs/desi"
    assert result["folder"] == str(own)
    assert result["instead"]
    assert result["changed"]
    assert own.is_dir()
    assert own.stat().st_mode & 0o022 == 0
    assert run(standing=home / place)["changed"] is False


@pytest.mark.parametrize("anyway", [False, True])
@pytest.mark.parametrize(("place", "why"), [("a:b/c", "colon"), ("a\nb", "line break"), ("a\x7f", "control character")])
def test_a_lab_gets_a_folder_of_its_own_where_one_stands_in_what_docker_cannot_be_given(run, home, place, why, anyway):
    (home / "work" / place).mkdir(parents=True)
    result = run(standing=home / "work" / place, anyway=anyway)
    assert (result["folder"], result["made"]) == (str(home / "desi-labs/desi"), True)
    assert why in result["instead"]


@pytest.mark.parametrize("name", ["$HOME", "${HOME}"])
def test_dollar_in_a_path_is_a_letter_of_it(run, home, monkeypatch, name):
    folder = home / "work" / name
    folder.mkdir()
    assert run(standing=folder)["folder"] == run(folder=folder)["folder"] == str(folder)
    assert run(folder="~/work")["folder"] == str(home / "work")
    # What it stands for is not what is shared.
    (home / "work" / "$KEYS").symlink_to(home / ".ssh")
    monkeypatch.setenv("KEYS", "harmless")
    assert run(folder=home / "work/$KEYS")["failed"]
    assert run(folder=home / "work", data=home / "work/$KEYS")["failed"]


def test_in_check_mode_it_is_only_told(run, home):
    result = run(check=True, standing=home / "clone")
    assert result["made"]
    assert not (home / "desi-labs").exists()


@pytest.mark.parametrize("asked", [".", "deep/link", "work/../.ssh", "loop"])
def test_what_is_not_for_notebooks_is_refused_also_behind_links(run, home, asked):
    (home / "link").symlink_to(home / ".ssh")
    (home / "deep").mkdir()
    (home / "deep/link").symlink_to("../link")
    (home / "loop").symlink_to(home)
    result = run(folder=home / asked)
    assert result["failed"]
    assert "lab_folder_anyway=true" in result["do"]
    assert str(home / "desi-labs/desi") in result["do"]
    assert not (home / "desi-labs").exists()


@pytest.mark.parametrize(
    ("name", "before", "behind"),
    [
        ("XDG_CONFIG_HOME", "", ""),
        ("XDG_CACHE_HOME", "", ""),
        ("XDG_STATE_HOME", "", ""),
        ("AWS_SHARED_CREDENTIALS_FILE", "", "/file"),
        ("DOCKER_CONFIG", "", "/file"),
        ("KUBECONFIG", "/nowhere:", "/file"),
        ("DOCKER_HOST", "unix://", "/file"),
    ],
)
def test_what_the_environment_says_of_settings_and_keys_is_refused_wherever_it_is(
    run, tmp_path, monkeypatch, name, before, behind
):
    kept = tmp_path / "elsewhere/kept"
    (kept / "desi-lab").mkdir(parents=True)
    assert "failed" not in run(folder=kept)
    monkeypatch.setenv(name, f"{before}{kept}{behind}")
    assert run(folder=kept)["failed"]
    assert run(folder=kept.parent)["failed"]
    assert behind or run(folder=kept / "desi-lab")["failed"]


def test_the_folder_of_all_labs_is_no_folder_of_one(run, home):
    (home / "desi-labs/other").mkdir(parents=True)
    assert run(standing=home / "desi-labs")["folder"] == str(home / "desi-labs/desi")
    assert run(standing=home / "desi-labs/other")["folder"] == str(home / "desi-labs/other")


@pytest.mark.parametrize("data", ["/", "link"])
def test_data_are_not_shared_with_keys_and_programs_around_them(run, home, data):
    (home / "link").symlink_to(home)
    result = run(folder=home / "work", data=home / data)
    assert "data" in result["what"]
    assert "lab_folder_anyway=true" in result["do"]
    assert "failed" not in run(folder=home / "work", data=home / data, anyway=True)


@pytest.mark.parametrize(("data", "within"), [("work", True), ("", True), ("work/edr", False), ("other", False)])
def test_a_folder_in_the_data_is_told(run, home, data, within):
    (home / "link").symlink_to(home / "work")
    assert run(folder=home / "link", data=home / data, anyway=True)["in_data"] is within
    assert not run(folder=home / "work")["in_data"]


@pytest.mark.parametrize("cache", ["", "work", "link"])
def test_cache_that_holds_the_folder_is_refused_itself(run, home, cache):
    (home / "link").symlink_to(home)
    result = run(folder=home / "work", cache=home / cache)
    assert result["what"] == f"The setting lab_cache={home / cache} cannot work."
    assert "lab_folder" not in result["do"]
    assert "lab_cache" not in run(folder=home / "work", cache=home / "work/cache")["what"]
    assert "failed" not in run(folder=home / "work", cache=home / "cache")


def test_folder_anyway_skips_the_check(run, home):
    assert run(folder=home, anyway=True)["folder"] == str(home)
    assert run(standing=home / "clone", anyway=True)["folder"] == str(home / "clone")


def test_own_folder_that_leads_elsewhere_is_refused_too(run, home):
    (home / "desi-labs").mkdir()
    (home / "desi-labs/desi").symlink_to(home / ".ssh")
    assert run(standing=home)["failed"]
    assert run(only_own=True)["failed"]


@pytest.fixture
def theirs():
    """Return the home of somebody else, who reaches it, and a folder that is not his."""
    with tempfile.TemporaryDirectory(prefix="desi-lab-home-") as folder:
        Path(folder).chmod(0o755)
        for name, owner in (("ann", 61234), ("locked", 0)):
            Path(folder, name).mkdir(mode=0o755)
            os.chown(Path(folder, name), owner, owner)
        yield Path(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root acts for somebody else")
def test_root_makes_it_as_the_person_whose_links_give_no_more_rights(run, theirs):
    whom = {"uid": 61234, "gid": 61234}
    own = theirs / "ann/desi-labs/desi"
    assert run(own=own, only_own=True, **whom)["changed"]
    assert (own.stat().st_uid, own.parent.stat().st_uid) == (61234, 61234)
    (theirs / "ann/trap").symlink_to(theirs / "locked")
    assert run(own=theirs / "ann/trap/desi", only_own=True, **whom)["failed"]
    assert list((theirs / "locked").iterdir()) == []
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_a_lab_that_is_there_keeps_its_folder_wherever_one_stands(run, home, monkeypatch):
    (home / "other").mkdir()
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    (home / "docker").touch(mode=0o755)
    with fake_engine() as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.endpoint)
        engine.containers = [container("desi", labels={"desi.lab.folder": str(home / "work")})]
        found = run(lab="desi", standing=home / "other")
        assert (found["folder"], "lab_folder=" in found["instead"]) == (str(home / "work"), True)
        assert run(lab="zeta", standing=home / "other")["folder"] == str(home / "other")
        # Of a link it is the target that counts, each time anew.
        (home / "work").rename(home / "before")
        (home / "work").symlink_to(home / ".ssh")
        assert "leads to" in run(lab="desi", standing=home / "other")["what"]
        (home / "work").unlink()
        assert run(lab="desi", folder=home / "other")["folder"] == str(home / "other")
    assert run(lab="desi", standing=home / "other")["folder"] == str(home / "other")


def test_folder_of_another_users_lab_is_not_shared(run, home, monkeypatch):
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    (home / "docker").touch(mode=0o755)
    (home / "other").mkdir()
    with fake_engine() as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.endpoint)
        engine.containers = [container("desi", labels={"desi.lab.folder": str(home / "work")})]
        engine.containers[0]["Config"]["User"] = "61234:61234"
        assert run(lab="desi", standing=home / "other", uid=61235)["folder"] == str(home / "other")
        assert run(lab="desi", standing=home / "other", uid=61234)["folder"] == str(home / "work")
