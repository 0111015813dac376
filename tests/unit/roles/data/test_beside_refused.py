# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where no container beside the lab can mount, as the variables of role data come out."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

VARIABLES = Path(__file__).parents[4] / "roles/data/vars/main.yml"
REASON = "Docker Desktop does not pass mounts of this computer on to containers."


def told(name, **changed):
    """Return a variable of the role; the engine has refused to run the mounter, unless something else is given."""
    loader = DataLoader()
    given = {
        **loader.load_from_file(str(VARIABLES), trusted_as_template=True),
        "__data_place": {"place": "mounter", "reason": REASON, "error": ""},
        "ansible_failed_result": {"msg": "path /x is mounted on / but it is not a shared mount"},
        **changed,
    }
    return Templar(loader=loader, variables=given).template(trust_as_template(f"{{{{ {name} }}}}"))


@pytest.mark.security("H4")
def test_where_the_flags_alone_are_left_the_reason_and_the_setting_that_accepts_them_are_told():
    assert told("__data_beside_why").startswith(REASON)
    assert "not a shared mount" in told("__data_beside_why")
    assert told("__data_beside_do").endswith(
        "accept that notebooks of this lab can become root of this computer: -e lab_mount=container"
    )


def test_a_bucket_that_cannot_be_read_is_no_reason_to_give_a_lab_more_rights():
    silent = {"__data_beside_shown": {"rc": 1}, "__data_beside_log": {"stderr_lines": ["dial tcp: timeout"]}}
    assert told("__data_beside_why", **silent).endswith("dial tcp: timeout")
    assert "lab_mount" not in told("__data_beside_do", **silent)
