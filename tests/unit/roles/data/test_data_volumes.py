# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volumes of a lab that is removed, while the container of an interrupted run still uses one."""

import json
import sys

import pytest
from fake_engine import fake_engine

USED = "remove desi-lab-mine-mount: volume is in use - [0123456789ab]"


@pytest.fixture
def remove(play_tasks, tmp_path):
    """Remove the volume of a lab where the engine refuses to as often; return how often it was asked, too."""

    def run(times, status=409, why=USED):
        asked = []
        with fake_engine() as engine:

            def refuse(handler):
                asked.append(handler.path)
                handler.send_response(status if len(asked) <= times else 204)
                handler.end_headers()
                if len(asked) <= times:
                    handler.wfile.write(json.dumps({"message": why}).encode())

            engine.volumes = [{"Name": "desi-lab-mine-mount"}]
            engine.answers["DELETE /volumes/desi-lab-mine-mount"] = refuse
            include = {"include_role": {"name": "desi.lab.data", "tasks_from": "absent"}}
            given = {"data_absent_lab": "mine", "data_mounts": str(tmp_path / "none")}
            given["ansible_python_interpreter"] = sys.executable
            return *play_tasks([include], given, DOCKER_HOST=engine.endpoint), len(asked)

    return run


def test_volume_whose_container_is_going_is_waited_for(remove):
    code, shown, asked = remove(1)
    assert (code, asked) == (0, 2), shown


def test_volume_that_stays_in_use_is_named_with_what_to_do(remove):
    code, shown, asked = remove(1000)
    assert (code, asked > 2) == (2, True), shown
    assert "The volume desi-lab-mine-mount of lab mine could not be removed." in shown
    assert "docker ps --all --filter volume=desi-lab-mine-mount" in shown
    assert "409 " not in shown


def test_other_errors_are_told_at_once(remove):
    code, shown, asked = remove(1000, 500, "no space left")
    assert (code, asked) == (2, 1), shown
    assert "no space left" in shown
