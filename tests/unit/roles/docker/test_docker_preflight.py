# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker Desktop is asked for where the engine that is there is not Linux's own."""

import sys
from dataclasses import asdict

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.api import DEFAULT_ENDPOINT, Endpoint
from ansible_collections.desi.lab.plugins.module_utils._docker.engine import read_engine


@pytest.mark.parametrize(
    ("platform", "has_daemon", "desktop"),
    [("linux", False, False), ("windows", True, False), ("windows", False, True), ("macos", False, True)],
)
def test_docker_desktop_is_asked_for_where_linux_has_no_engine_of_its_own(play_tasks, platform, has_daemon, desktop):
    engine = read_engine(
        stdout="",
        stderr="no such file",
        endpoint=Endpoint(DEFAULT_ENDPOINT),
        has_command=True,
        has_daemon=has_daemon,
        platform=platform,
    )
    before = {**asdict(engine), "state": engine.state}
    given = {"docker_inspected": before, "docker_user": "ann", "ansible_become_exe": "/bin/false"}
    _code, shown = play_tasks(
        [{"include_role": {"name": "desi.lab.docker", "tasks_from": "preflight"}}],
        {**given, "ansible_python_interpreter": sys.executable},
    )
    assert ("Docker Desktop, which is not installed or not running" in shown) is desktop
