# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import pwd

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.users import groups_of, person
from ansible_collections.desi.lab.plugins.modules import user_info

NOBODY = pwd.getpwnam("nobody")
UNKNOWN = next(number for number in range(54321, 60000) if number not in {entry.pw_uid for entry in pwd.getpwall()})


NAMED = {"name": "nobody", "uid": NOBODY.pw_uid, "gid": NOBODY.pw_gid, "home": NOBODY.pw_dir}
CALLED = {"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": "7", "SUDO_USER": "nobody"}
NUMBER = {"name": str(UNKNOWN), "uid": UNKNOWN, "home": "/"}


@pytest.mark.parametrize(
    ("environment", "uid", "gid", "who"),
    [
        ({}, NOBODY.pw_uid, 5, NAMED),
        (CALLED, 0, 0, NAMED),
        # sudo does not matter to somebody who is not root.
        ({"SUDO_UID": "0"}, NOBODY.pw_uid, NOBODY.pw_gid, NAMED),
        ({}, UNKNOWN, 4242, {**NUMBER, "gid": 4242}),
        ({"SUDO_UID": str(UNKNOWN)}, 0, 12, {**NUMBER, "gid": 12}),
    ],
)
def test_person_is_who_runs_it_or_who_called_sudo(environment, uid, gid, who):
    assert person(environment, uid, gid) == who


@pytest.mark.parametrize("caller", [None, "0", "ann", "-1"])
def test_root_whom_no_person_called_is_root(caller):
    assert person({} if caller is None else {"SUDO_UID": caller}, 0, 0)["name"] == "root"


def test_module_tells_the_person_and_whether_sudo_was_called(call, monkeypatch):
    monkeypatch.delenv("SUDO_UID", raising=False)
    code, result = call(user_info, _ansible_check_mode=True)
    assert (code, result["changed"], result["uid"], result["by_sudo"]) == (0, False, os.getuid(), False)
    assert result["groups"] == sorted(os.getgrouplist(pwd.getpwuid(os.getuid()).pw_name, os.getgid()))
    monkeypatch.setenv("SUDO_UID", str(NOBODY.pw_uid))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    result = call(user_info)[1]
    assert (result["uid"], result["by_sudo"]) == (NOBODY.pw_uid, True)
    assert groups_of(UNKNOWN, 4242)[-1] == 4242
