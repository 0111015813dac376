# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

STOPPED = {"id": "i-1", "state": "stopped", "known": True}


def test_stop_of_an_interrupted_spot_instance_names_what_ends_it(play_tasks, tmp_path):
    def stop(name, waits):
        given = {"ec2_state": "stopped", "ec2_name": name, "ec2_inspected": {**STOPPED, "waits_for_room": waits}}
        given["ec2_folder"] = str(tmp_path / "us-west-2" / name)
        return {"ansible.builtin.include_role": {"name": "desi.lab.ec2"}, "vars": given}

    code, shown = play_tasks([stop("mine", False), stop("taken", True)])
    assert code == 0, shown
    mine, _name, taken = shown.partition("Lab taken")
    assert "is stopped already" in mine
    assert "is stopped already" not in taken
    assert "./lab down -e lab_name=taken ends it" in taken
