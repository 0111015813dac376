# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As whom a lab runs, what it may, what is told of it, and its tags, as the variables of role jupyter come out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from fake_engine import container

ROLES = Path(__file__).parents[4] / "roles"
MOUNTING = {"cap_drop": ["ALL"], "capabilities": ["SYS_ADMIN", "SETUID"], "security_opts": ["apparmor:unconfined"]}
ENGINE = {"endpoint": "unix:///var/run/docker.sock", "desktop": False, "rootless": False}


def told(expression, owner=(1000, 1001), **changed):
    """Return what an expression comes out as, for the owner of the folder and the variables of the role."""
    loader = DataLoader()
    given = {
        **yaml.safe_load((ROLES / "jupyter/defaults/main.yml").read_text()),
        **loader.load_from_file(str(ROLES / "jupyter/vars/main.yml"), trusted_as_template=True),
        "__jupyter_stat": {"uid": owner[0], "gid": owner[1]} if owner else {},
        "__jupyter_before": {"exists": False, "container": {}},
        **changed,
    }
    return Templar(loader=loader, variables=given).template(trust_as_template(f"{{{{ {expression} }}}}"))


@pytest.mark.security("L11")
def test_where_root_makes_a_lab_it_runs_as_the_owner_of_the_folder():
    root = {"jupyter_uid": 0, "jupyter_gid": 0}
    assert told("__jupyter_start_user", **root) == "1000:1001"
    assert told("__jupyter_start_user", jupyter_image_is_embedded=False, **root) == "1000:1001"
    mounting = told("__jupyter_environment", jupyter_container=MOUNTING, **root)
    assert (mounting["NB_UID"], mounting["NB_GID"]) == ("1000", "1001")


@pytest.mark.parametrize("owner", [(0, 0), None])
def test_a_folder_of_roots_is_left_to_root(owner):
    assert told("__jupyter_start_user", owner, jupyter_uid=0, jupyter_gid=0) == "0:0"


def test_somebody_who_is_not_root_keeps_their_own_files():
    assert told("__jupyter_start_user", (1234, 1234), jupyter_uid=1000, jupyter_gid=1000) == "1000:1000"


@pytest.mark.parametrize(
    ("keep", "exists", "expected"),
    [(True, True, ("edr", "/made")), (False, True, ("dr1", "/asked")), (True, False, ("dr1", "/asked"))],
)
def test_a_container_that_stays_is_told_as_it_was_made(keep, exists, expected):
    labels = {"desi.lab.release": "edr", "desi.lab.folder": "/made"}
    before = {"exists": exists, "container": {"Config": {"Labels": labels}} if exists else {}}
    asked = {"jupyter_release": "dr1", "jupyter_folder": "/asked"}
    has = told("__jupyter_has", jupyter_keep=keep, __jupyter_before=before, **asked)
    assert (has["release"], has["folder"]) == expected


@pytest.mark.security("H4")
def test_a_lab_without_a_mount_to_make_has_no_right():
    assert told("__jupyter_rights") == {"cap_drop": ["ALL"], "security_opts": ["no-new-privileges:true"]}
    assert told("__jupyter_rights", jupyter_container=MOUNTING) == MOUNTING


@pytest.mark.security("M12")
@pytest.mark.parametrize(
    ("changed", "blocks"),
    [
        ({}, True),
        ({"endpoint": "unix:///run/user/1000/docker.sock"}, True),
        ({"desktop": True}, False),
        ({"rootless": True}, False),
        ({"endpoint": "ssh://far"}, False),
    ],
)
def test_link_local_addresses_are_blocked_wherever_root_can_have_a_say(changed, blocks):
    assert told("__jupyter_blocks", jupyter_engine={**ENGINE, **changed}) is blocks
    assert told("__jupyter_blocks") is False


@pytest.mark.parametrize(
    ("running", "network", "on"),
    [(False, "ours", True), (False, "foreign", True), (False, "", False), (True, "", True)],
)
def test_a_stopped_container_is_on_no_network_that_is_gone(running, network, on):
    of_lab = container("desi", running=running)
    found = {
        "__jupyter_before": {"exists": True, "container": of_lab},
        "jupyter_inspected": {"server": {"network": network}},
    }
    assert told("'desi-lab-desi' in __jupyter_is_on", **found) is on
    assert told("__jupyter_unmade", ansible_check_mode=True, **found) is not on


@pytest.mark.security("L10")
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
def test_nobody_is_added_to_group_docker_without_a_yes(play_tasks, monkeypatch):
    monkeypatch.delenv("SUDO_UID", raising=False)
    role = {"import_role": {"name": "desi.lab.docker", "tasks_from": "user"}, "vars": {"docker_user": "nobody"}}
    code, shown = play_tasks([role], {"ansible_python_interpreter": sys.executable})
    assert code != 0
    assert "root of this computer without a password" in shown
    assert "-e lab_yes=true" in shown
    groups = subprocess.run(["id", "-nG", "nobody"], check=True, capture_output=True, text=True).stdout
    assert "docker" not in groups.split()


def test_tags_of_this_lab_and_of_labs_that_are_gone_are_no_longer_used():
    tags = [f"desi-lab-previous:{name}" for name in ("mine", "theirs", "gone")]
    found = {"containers": [{"lab": "theirs"}, {"lab": "mine"}, {"lab": "theirs"}]}
    tagged = {"images": [{"RepoTags": [*tags[:2], "other:mine"]}, {"RepoTags": None}, {"RepoTags": tags[2:]}]}
    given = {"jupyter_name": "mine", "__jupyter_found": found, "__jupyter_tagged": tagged}
    assert told("__jupyter_previous_unused", **given) == [tags[0], tags[2]]
