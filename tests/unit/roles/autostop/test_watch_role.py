# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role brings to the machine, held equal to what lies in it."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml
from desi_watch import settings

ROLE = Path(__file__).resolve().parents[4] / "roles/autostop"
PROGRAM = ROLE / "files/watch"
SOURCES = sorted(str(path.relative_to(PROGRAM)) for path in PROGRAM.rglob("*.py"))


def read(*parts):
    return yaml.safe_load(ROLE.joinpath(*parts).read_text())


def test_every_file_of_the_program_is_brought():
    patterns = re.findall(r"'/files/watch/(.*?)'", read("vars/main.yml")["__autostop_sources"])
    assert sorted(str(path.relative_to(PROGRAM)) for each in patterns for path in PROGRAM.glob(each)) == SOURCES


@pytest.mark.parametrize("source", SOURCES)
def test_the_program_is_written_for_the_oldest_python_of_a_machine(source):
    ast.parse((PROGRAM / source).read_text(), feature_version=(3, 9))


def test_the_program_knows_each_setting_that_the_role_gives_it_by_that_name():
    assert set(read("vars/main.yml")["__autostop_settings"]) == {*settings.FIELDS, settings.WARNINGS}


def test_what_holds_without_settings_is_what_the_role_gives_by_default():
    given = {name.removeprefix("autostop_"): value for name, value in read("defaults/main.yml").items()}
    found = settings.settings_of(json.dumps(given))
    # Settings that cannot be read are a doubt at any time, so that a start needs no time of its own.
    assert found._replace(start=0.0) == settings.Settings()


def test_a_lab_is_stopped_after_the_same_times_wherever_they_are_said():
    options = read("../lab/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    lab = {name: option["default"] for name, option in options.items()}
    ec2 = read("../ec2/defaults/main.yml")
    own = read("defaults/main.yml")
    for name in ("idle_minutes", "max_hours"):
        assert lab[f"lab_{name}"] == ec2[f"ec2_{name}"] == own[f"autostop_{name}"], name


@pytest.mark.security("L13")
@pytest.mark.parametrize("unit", ["watch", "worker"])
def test_what_a_container_answers_takes_a_bounded_part_of_the_machine_and_ends_no_watcher(unit):
    lines = (ROLE / f"templates/{unit}.service.j2").read_text().splitlines()
    assert {"MemoryMax=256M", "OOMPolicy=continue"} < {*lines}


def expected(holds, **given):
    """Return a task that fails unless the role knows whether the watcher is there."""
    return {"ansible.builtin.assert": {"that": f"__autostop_is_there is {str(holds).lower()}"}, "vars": given}


def inspected(files="{{ __autostop_digests }}", runs=True):
    return {"autostop_inspected": {"watcher": {"files": files, "runs": runs}}}


@pytest.mark.parametrize("scheduler", ["", "10.0.0.1"])
def test_watcher_is_left_alone_where_each_file_is_as_it_has_to_be_and_its_timer_runs(play_tasks, tmp_path, scheduler):
    # What is in the role is looked for from where the play is.
    (tmp_path / "templates").symlink_to(ROLE / "templates")
    tasks = [
        {"ansible.builtin.include_role": {"name": "desi.lab.autostop", "public": True}},
        {"ansible.builtin.assert": {"that": "__autostop_digests | length > 3"}},
        expected(True, **inspected()),
        expected(True, **inspected("{{ __autostop_digests | combine({'/etc/desi-lab/other.json': '0'}) }}")),
        expected(False, **inspected(runs=False)),
        expected(False, **inspected("{{ __autostop_digests | combine({__autostop_digests | first: '0'}) }}")),
        expected(False, **inspected({})),
        expected(False),
        # Of limits that are kept, only the machine knows which they are.
        expected(False, **inspected(), autostop_kept_limits=["max_hours"]),
        expected(False, **inspected("{{ as_made }}"), autostop_max_hours=3),
    ]
    tasks.insert(1, {"ansible.builtin.set_fact": {"as_made": "{{ __autostop_digests }}"}})
    code, shown = play_tasks(tasks, {"autostop_scheduler": scheduler, "role_path": str(ROLE)}, "--check")
    assert code == 0, shown
