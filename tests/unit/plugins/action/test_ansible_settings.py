# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.action.settings_resolve import check_ansible, facts
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError


@pytest.mark.parametrize("place", [("localhost", "local"), ("desi-desi", "ssh"), ("", "local")])
def test_ansible_that_keeps_answers_apart_is_fine(place):
    check_ansible(False, *place)


@pytest.mark.security("H1")
def test_answers_that_become_variables_are_refused_with_the_line_to_add():
    with pytest.raises(LabError) as caught:
        check_ansible(True, "localhost", "local")
    assert "inject_facts_as_vars=false" in caught.value.do
    assert "[defaults]" in caught.value.do


@pytest.mark.parametrize(("mode", "has", "named"), [(0o777, True, True), (0o755, True, False), (0o777, False, False)])
def test_configuration_that_ansible_ignores_is_named(tmp_path, mode, has, named):
    if has:
        (tmp_path / "ansible.cfg").touch()
    tmp_path.chmod(mode)
    with pytest.raises(LabError) as caught:
        check_ansible(True, "localhost", "local", str(tmp_path))
    assert (f"chmod o-w {tmp_path}" in caught.value.do) is named


@pytest.mark.security("A1")
@pytest.mark.parametrize("transport", ["ssh", "paramiko", "community.docker.docker"])
def test_an_inventory_that_has_this_computer_elsewhere_is_refused(transport):
    with pytest.raises(LabError) as caught:
        check_ansible(False, "localhost", transport)
    assert "ansible_connection=local" in caught.value.do


def test_records_of_labs_have_one_path_however_the_folder_is_written(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/here/../there/")
    assert facts()["config"] == f"{tmp_path}/there/desi-lab"
