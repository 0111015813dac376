# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pwd

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.desi.lab.plugins.modules import user_info
from ansible_collections.desi.lab.plugins.modules.user_info import person

NOBODY = pwd.getpwnam("nobody")
UNKNOWN = next(number for number in range(54321, 60000) if number not in {entry.pw_uid for entry in pwd.getpwall()})


def test_person_is_who_runs_it():
    assert person({}, NOBODY.pw_uid, 5) == {
        "name": "nobody",
        "uid": NOBODY.pw_uid,
        "gid": NOBODY.pw_gid,
        "home": NOBODY.pw_dir,
    }


def test_person_behind_sudo_is_its_caller():
    called = {"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": "7", "SUDO_USER": "nobody"}
    assert person(called, 0, 0)["name"] == "nobody"
    assert person(called, 0, 0)["gid"] == NOBODY.pw_gid


def test_root_who_is_nobody_elses_is_root():
    assert person({}, 0, 0)["name"] == "root"
    assert person({"SUDO_UID": "0"}, 0, 0)["name"] == "root"


def test_sudo_does_not_matter_to_somebody_who_is_not_root():
    assert person({"SUDO_UID": "0"}, NOBODY.pw_uid, NOBODY.pw_gid)["name"] == "nobody"


def test_number_without_a_name_keeps_its_number_and_group():
    assert person({}, UNKNOWN, 4242) == {"name": str(UNKNOWN), "uid": UNKNOWN, "gid": 4242, "home": "/"}
    called = {"SUDO_UID": str(UNKNOWN), "SUDO_GID": "4343"}
    assert person(called, 0, 0) == {"name": str(UNKNOWN), "uid": UNKNOWN, "gid": 4343, "home": "/"}
    assert person({"SUDO_UID": str(UNKNOWN)}, 0, 12)["gid"] == 12


@pytest.mark.parametrize("caller", ["", "ann", "-1", "1.5"])
def test_caller_that_is_no_number_is_not_believed(caller):
    assert person({"SUDO_UID": caller}, 0, 0)["name"] == "root"


@pytest.mark.parametrize("check_mode", [False, True])
def test_module_tells_the_person_and_changes_nothing(capsys, monkeypatch, check_mode):
    monkeypatch.delenv("SUDO_UID", raising=False)
    with patch_module_args({"_ansible_check_mode": check_mode}), pytest.raises(SystemExit) as caught:
        user_info.main()
    result = json.loads(capsys.readouterr().out)
    assert (caught.value.code, result["changed"]) == (0, False)
    assert result["uid"] == os.getuid()
    assert result["groups"] == sorted(os.getgrouplist(pwd.getpwuid(os.getuid()).pw_name, os.getgid()))
    assert result["by_sudo"] is False


def test_module_tells_that_sudo_was_called(capsys, monkeypatch):
    monkeypatch.setenv("SUDO_UID", str(NOBODY.pw_uid))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with patch_module_args({}), pytest.raises(SystemExit):
        user_info.main()
    result = json.loads(capsys.readouterr().out)
    assert (result["uid"], result["by_sudo"]) == (NOBODY.pw_uid, True)


def test_groups_of_a_number_without_a_name_are_its_first_alone():
    assert user_info.groups_of(str(UNKNOWN), 4242)[-1] == 4242
