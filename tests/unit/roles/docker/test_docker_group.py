# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nobody is added to a group docker that this computer does not have."""

import os
import sys


def test_without_group_docker_nobody_is_asked_or_added(play_tasks, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/getent").write_text("#!/bin/sh\nexit 2\n")
    (tmp_path / "bin/getent").chmod(0o755)
    code, shown = play_tasks(
        [{"include_role": {"name": "desi.lab.docker", "tasks_from": "user"}}],
        {"docker_user": "ann", "ansible_python_interpreter": sys.executable, "ansible_become_exe": "/bin/false"},
        PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    )
    assert code != 0
    assert "There is no group docker on this computer" in shown
    assert "Members of group docker" not in shown
