# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
from types import SimpleNamespace

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import settings_resolve
from ansible_collections.desi.lab.plugins.action.settings_resolve import ActionModule


@pytest.fixture(autouse=True)
def answers_kept_apart(monkeypatch):
    """What ansible.cfg of DESI Lab says."""
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", False)


@pytest.fixture
def resolve(monkeypatch):
    """Run the action with variables as an inventory has them, and what was typed with -e."""

    def run(known=None, typed=None, **arguments):
        typed = typed or {}
        monkeypatch.setattr(settings_resolve, "load_extra_vars", lambda _loader: typed)
        task = SimpleNamespace(args=arguments, action="x", async_val=0, check_mode=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
        templar = SimpleNamespace(template=lambda value: value)
        plugin = ActionModule(task, connection, play_context=None, loader=None, templar=templar)
        plugin._load_name = "x"
        return plugin.run(task_vars={**(known or {}), **typed})

    return run


@pytest.mark.security("H1")
def test_ansible_that_makes_variables_of_answers_is_refused_before_anything_else(resolve, monkeypatch):
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", True)
    result = resolve({"lab_prot": 1})
    assert result["failed"]
    assert "inject_facts_as_vars=false" in result["do"]


def test_settings_come_from_where_they_are_said_first(resolve, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/ann/config")
    known = {"lab_port": 8889, "lab_region": "eu-west-1", "lab_chooses_directory": True, "other": 1}
    result = resolve(
        known, {"lab_release": "DR1"}, saved={"lab_port": 1, "lab_cache": "/scratch"}, instance={"os": "ubuntu"}
    )
    lab = result["settings"]
    assert (result["changed"], lab["port"], lab["region"], lab["release"]) == (False, 8889, "eu-west-1", "dr1")
    assert (lab["os"], lab["cache_folder"], lab["config"]) == ("ubuntu", "/scratch", "/home/ann/config/desi-lab")
    assert lab["given"] == {"port": 8889, "region": "eu-west-1", "release": "DR1"}
    assert lab["typed"] == {"release": "DR1"}
    assert (lab["name"], lab["defaults"]["port"], lab["person"]["uid"]) == ("desi", 8888, os.getuid())
    assert lab["releases"]["edr"]["public"]
    assert lab["prices"]


@pytest.mark.parametrize(("known", "what", "do"), [
    ({"lab_prot": 8889}, "There is no setting lab_prot.", "Say -e lab_port=… if that is what you meant."),
    ({"lab_port": "eighty"}, "The setting lab_port=eighty cannot work.", "See the table of settings in README.md."),
    ({"lab_release": "dr9"}, "The setting lab_release=dr9 cannot work.", "Choose one of them, for example edr."),
])  # fmt: skip
def test_setting_that_cannot_work_fails_in_three_sentences(resolve, known, what, do):
    result = resolve(known)
    assert (result["failed"], result["changed"]) == (True, False)
    assert (result["what"], result["do"]) == (what, do)
    assert result["msg"] == f"What  {what}\nWhy   {result['why']}\nDo    {do}"


def test_names_and_values_that_cannot_work_are_reported_at_once(resolve):
    result = resolve({"lab_prot": 8889, "lab_port": 0})
    assert [error["what"] for error in result["errors"]] == [
        "There is no setting lab_prot.",
        "The setting lab_port=0 cannot work.",
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lab-name", "lab_name"),
        ("Lab_name", "lab_name"),
        ("LAB-MAX-HOURS", "lab_max_hours"),
        ("lab-prot", "lab_port"),
        ("lab_Port", "lab_port"),
    ],
)
def test_a_setting_in_another_spelling_is_refused_with_all_else(resolve, typed, meant):
    result = resolve({"lab_port": 0}, {typed: "x", "lab_release": "dr9"})
    assert {error["what"] for error in result["errors"]} == {
        f"There is no setting {typed}.",
        "The setting lab_port=0 cannot work.",
        "The setting lab_release=dr9 cannot work.",
    }
    assert f"Say -e {meant}=… if" in str(result["errors"])


@pytest.mark.parametrize("previous", [True, "yes", "True", 1])
def test_two_images_at_once_are_refused(resolve, previous):
    both = {"lab_previous": previous, "lab_image": "embedded"}
    assert "lab_previous and lab_image cannot both" in str(resolve(both, both))
    # An image in an inventory is asked of all runs.
    assert not resolve(both, {"lab_previous": previous}).get("failed", False)
    assert not resolve(both, both | {"lab_previous": "false"}).get("failed", False)


def test_variables_of_others_are_let_alone(resolve):
    typed = dict.fromkeys(("name", "port", "labname", "LAB_HOME", "my_lab_name", "my-lab_name", "region"), "x")
    assert not resolve({"Lab_name": "of an inventory"}, typed).get("failed", False)


def test_verbs_that_make_no_lab_need_no_value_that_works(resolve):
    assert resolve({"lab_release": "dr9"}, values=False)["settings"]["release"] == "dr9"
    assert resolve({}, saved={"lab_port": 0}, values=False)["settings"]["port"] == 0


@pytest.mark.security("P11")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("lab_name", value) for value in ("", " ", "../x", "a/b", "../us-west-2/x/id_ed25519", "A", "*")),
        *(("lab_region", value) for value in ("", "../here", "us-west-2/..", "*")),
        ("lab_regions", ["us-west-2", "../x"]),
        # A settings file with nothing behind the colon.
        ("lab_name", None),
        ("lab_region", None),
        ("lab_where", None),
        # What else somebody says.
        ("lab_timeout", 10**11),
        ("lab_expire_days", -5),
        ("lab_endpoint", "http://h:abc"),
    ],
)
def test_what_somebody_says_has_to_work_for_every_verb(resolve, name, value):
    """Without a name, all labs would be meant; and it is a part of paths."""
    result = resolve({name: value}, values=False)
    assert result["failed"]
    assert f"{name}=" in result["what"]


@pytest.mark.parametrize(
    ("saved", "name", "refused"),
    [
        ({}, "desi-before", True),
        ({"lab_name": "desi-before"}, "desi-before", False),
        ({"lab_name": "../x"}, "../x", True),
    ],
)
def test_lab_that_is_there_keeps_a_name_that_was_reserved_later(resolve, saved, name, refused):
    assert resolve({"lab_name": name}, saved=saved).get("failed", False) is refused


def test_verbs_that_make_no_lab_take_a_name_that_was_reserved_later(resolve):
    assert not resolve({"lab_name": "desi-before"}, values=False).get("failed", False)


@pytest.mark.security("L3", "P11")
@pytest.mark.parametrize("typed", [
    *[{name: "/home/ann/work"} for name in ("lab", "lab_config", "lab_saved_settings", "lab_person")],
    {"lab_port": "{{ lookup('pipe', 'id') }}"},
])  # fmt: skip
def test_what_is_no_setting_of_people_and_what_is_no_data_is_refused_as_it_was_given(resolve, typed):
    result = resolve({}, typed)
    assert result["failed"]
    assert next(iter(typed)) in result["what"]


def test_what_ansible_cut_off_a_path_with_a_blank_is_refused(resolve):
    result = resolve({}, {"_raw_params": "data", "lab_data": "/home/ann/my"})
    assert result["what"] == "What is given with -e is no setting: data"


@pytest.mark.parametrize("arguments", [{"given": ["lab_port"]}, {"saved": "x"}, {"instance": [1]}])
def test_arguments_that_it_does_not_have_are_a_mistake(resolve, arguments):
    with pytest.raises(AnsibleActionFail):
        resolve(**arguments)


def test_settings_are_the_callers_and_need_no_connection():
    assert ActionModule._requires_connection is False
