# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._fact_injection import (
    MARKS,
    check_names_in_file,
    check_plain,
    has_template,
)

pytestmark = pytest.mark.security("L3", "P11")

NO_MARK = st.text().filter(lambda text: not any(mark in text for mark in MARKS))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NO_MARK,
    lambda inner: st.lists(inner) | st.dictionaries(NO_MARK, inner),
    max_leaves=8,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(PLAIN)
def test_plain_values_are_taken(value):
    assert not has_template(value)
    check_plain({"lab_x": value})


@given(st.sampled_from(MARKS), st.text(), st.text(), st.lists(st.sampled_from(["list", "name", "value"]), max_size=4))
def test_a_template_is_found_however_deep(mark, before, behind, way):
    value = f"{before}{mark}{behind}"
    for step in way:
        value = {"list": [1, value], "name": {str(value): 1}, "value": {"a": value}}[step]
    with pytest.raises(LabError):
        check_plain({"lab_x": value})


def test_a_template_in_what_is_no_text_by_its_type_is_found():
    class Secret:
        def __str__(self):
            return "{{ lookup('pipe', 'id') }}"

    assert has_template(Secret())


def test_a_refusal_does_not_repeat_the_value():
    with pytest.raises(LabError) as refused:
        check_plain({"lab_x": "{{ secret }}"})
    assert "secret" not in str(refused.value)
    assert "lab_x" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["ansible_python_interpreter", "ansible_become_exe", "desi_tools", "data_tools", "__x", 7, "Lab_x"]
)
def test_a_file_sets_nothing_but_settings(name):
    with pytest.raises(LabError, match=str(name)):
        check_names_in_file("my-lab.yml", ["lab_port", name])


def test_a_file_may_hold_settings_and_the_password_of_sudo():
    check_names_in_file("my-lab.yml", ["lab_port", "ansible_become_password", "ansible_become_pass"])
