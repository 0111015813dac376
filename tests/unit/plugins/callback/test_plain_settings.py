# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest

pytestmark = pytest.mark.security("L3", "P11")

# All that Ansible works out before the first task of a play, and what a task then asks for.
PLAY = """
- name: "A lab {{ desi_headline | default('') }}"
  hosts: "{{ desi_host | default('localhost') }}"
  gather_facts: false
  become: "{{ docker_become | default(false) }}"
  environment: "{{ docker_environment | default({}) }}"
  module_defaults:
    group/desi.lab.aws:
      region: "{{ lab_region | default('') }}"
  tasks:
    - name: Tell
      desi.lab.report:
        text: "release={{ lab_release | default('edr') }}"
"""
GUARD = {"ANSIBLE_CALLBACKS_ENABLED": "desi.lab.plain_settings"}


def poison(tmp_path):
    return "{{ lookup('ansible.builtin.pipe', 'touch " + str(tmp_path / "ran") + "') }}"


@pytest.mark.parametrize(("name", "way"), [("desi_headline", "file"), ("desi_host", "pair")])
def test_no_setting_is_a_program(ansible, tmp_path, name, way):
    settings = tmp_path / "my-lab.yml"
    settings.write_text(json.dumps({name: poison(tmp_path)}))
    given = {"file": f"@{settings}", "pair": f'{name}="{poison(tmp_path)}"'}[way]
    run = ansible(PLAY, "-e", given, **GUARD)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "is refused" in run.stderr
    assert f"{name}" in run.stderr
    assert "Why" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert not (tmp_path / "ran").exists()


def test_a_file_that_sets_what_ansible_runs_is_refused(ansible, tmp_path):
    (tmp_path / "my-lab.yml").write_text("lab_release: dr1\nansible_python_interpreter: /nowhere/python\n")
    run = ansible(PLAY, "-e", f"@{tmp_path}/my-lab.yml", **GUARD)
    assert run.returncode == 1
    assert "ansible_python_interpreter" in run.stderr


def test_a_file_of_settings_is_taken(ansible, tmp_path):
    (tmp_path / "my-lab.yml").write_text("lab_release: dr1\nlab_prefetch: ['healpix:23040']\n")
    run = ansible(PLAY, "-e", f"@{tmp_path}/my-lab.yml", **GUARD)
    assert run.returncode == 0, run.stdout + run.stderr
    # It has no steps of which that would be said.
    assert ("release=dr1" in run.stdout, "Nothing had to change" in run.stdout) == (True, False)
