# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._saved_settings import remembered
from ansible_collections.desi.lab.plugins.plugin_utils._settings_resolve import (
    PERMISSIONS,
    SAVED,
    of_instance,
    remembered_settings,
    resolve,
    settings_label,
    settings_to_remember,
    unknown_limits,
)

ROOT = Path(__file__).parents[4]
OPTIONS = yaml.safe_load((ROOT / "roles/lab/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
# As a label of 0.1.0 has it, and all labs have it since: another text would have each lab replaced.
PLAIN = (
    '{"lab_bind": "127.0.0.1", "lab_bucket": "desidata", "lab_bucket_region": "us-west-2", "lab_cache": "", '
    '"lab_cache_max": "", "lab_container_port": 8888, "lab_data": "s3", "lab_data_writable": false, '
    '"lab_endpoint": "", "lab_folder": "/home/ann/w\\u00f6rk", "lab_image": "docker-aws-jupyter", "lab_mount": "auto", '
    '"lab_mount_backend": "auto", "lab_port": 8888, "lab_prefix": "", "lab_release": "edr"}'
)
GIVEN = {
    "lab_release": "DR1",
    "lab_data": "/data",
    "lab_data_writable": "yes",
    "lab_memory": "8GiB",
    "lab_cpus": "2",
    "lab_port": "8889",
    "lab_folder_anyway": "true",
    "lab_cache": "/scratch/c",
    "lab_cache_max": "50GiB",
    "lab_image": "embedded",
    "lab_bind": "0.0.0.0",  # noqa: S104 - a setting
}
CHANGED = (
    '{"lab_bind": "0.0.0.0", "lab_bucket": "desidata", "lab_bucket_region": "us-west-2", "lab_cache": "/scratch/c", '
    '"lab_cache_max": "50GiB", "lab_container_port": 8888, "lab_cpus": "2.0", "lab_data": "/data", '
    '"lab_data_writable": true, "lab_endpoint": "", "lab_folder": "/home/ann/w\\u00f6rk", "lab_folder_anyway": true, '
    '"lab_image": "embedded", "lab_memory": "8GiB", "lab_mount": "auto", "lab_mount_backend": "auto", '
    '"lab_port": 8889, "lab_prefix": "", "lab_release": "dr1"}'
)


def values(option):
    """Values of a setting as somebody may write them, each with what it comes to."""
    if "choices" in option:
        return st.sampled_from(option["choices"]).map(lambda value: (value, value))
    words = st.text("abc/1", min_size=1, max_size=5)
    return {
        "bool": st.sampled_from([(True, True), ("yes", True), ("false", False), (False, False)]),
        "int": st.integers(0, 99).flatmap(lambda n: st.sampled_from([(n, n), (str(n), n)])),
        "float": st.integers(0, 99).flatmap(lambda n: st.sampled_from([(n, float(n)), (f"{n}.0", float(n))])),
        "list": st.lists(words, min_size=1).flatmap(lambda w: st.sampled_from([(w, w), (", ".join(w), w)])),
    }.get(option["type"], words.map(lambda value: (value, value)))


def sources(typed):
    """Some settings, with values as ``typed`` by people (or of their own type), and what they come to."""
    own = {
        name: values(option) if typed else values(option).map(lambda pair: (pair[1], pair[1]))
        for name, option in OPTIONS.items()
    }
    return st.fixed_dictionaries({}, optional=own)


def written(source):
    return {name: value for name, (value, _meant) in source.items()}


@settings(max_examples=30)
@given(sources(typed=False), sources(typed=False), sources(typed=True), st.data())
def test_each_setting_is_what_the_first_that_says_it_says_in_whatever_order(instance, saved, by_hand, data):
    instance = {name: instance[name] for name in ("lab_os", "lab_access", "lab_disk_gib") if name in instance}
    tags = {name.removeprefix("lab_"): value for name, value in written(instance).items() if value}
    shuffled = dict(data.draw(st.permutations(list(written(by_hand).items()))))
    # Labels say what they like.
    noise = {"lab_prot": 1, "ansible_host": "x"}
    lab = resolve(OPTIONS, tags, {**noise, **written(saved)}, shuffled)
    asked = {name for name, (_value, meant) in by_hand.items() if meant != saved.get(name, (None, None))[1]}
    kept = {name: pair for name, pair in saved.items() if not asked & set(PERMISSIONS.get(name, ()))}
    first = {**{n: pair for n, pair in instance.items() if pair[0]}, **kept, **by_hand}
    for name, option in OPTIONS.items():
        expected = first[name][1] if name in first else option["default"]
        assert lab[name.removeprefix("lab_")] == (expected.lower() if name == "lab_release" else expected), name
    assert lab["given"] == {name.removeprefix("lab_"): meant for name, (_value, meant) in by_hand.items()}
    assert set(lab) == {name.removeprefix("lab_") for name in OPTIONS} | {"given", "defaults"}


@pytest.mark.security("C2")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("lab_data", [None, True, 3, ["x"], {"a": 1}]),
        ("lab_os", ["beos", None, True, 3, ["ubuntu"]]),
        ("lab_disk_gib", ["", "eighty", 1.5, "nan", "inf", True, None, [3]]),
        ("lab_cpus", ["", "nan", "-inf", True, None, [3]]),
        ("lab_folder_anyway", ["true", 1, None]),
        ("lab_instance_type", ["t2.micro", [3], None]),
    ],
)
def test_value_of_another_type_in_a_label_or_tag_is_ignored(name, told):
    plain = resolve(OPTIONS, {}, {}, {})
    for value in told:
        assert resolve(OPTIONS, {}, {name: value}, {}) == plain, value
        if name in ("lab_os", "lab_disk_gib"):
            assert resolve(OPTIONS, {name.removeprefix("lab_"): value}, {}, {}) == plain, value


ALLOWED = {"lab_folder": "/mnt/x", "lab_data": "/data", "lab_folder_anyway": True, "lab_data_writable": True}


@pytest.mark.security("H3")
@pytest.mark.parametrize(
    ("asked", "anyway", "writable"),
    [
        ({}, True, True),
        ({"lab_port": 8889}, True, True),
        ({"lab_folder": "/mnt/x", "lab_data": "/data"}, True, True),
        ({"lab_folder": "/root"}, False, True),
        ({"lab_folder": ""}, False, True),
        ({"lab_data": "/root"}, False, False),
        ({"lab_folder": "/root", "lab_folder_anyway": "true"}, True, True),
        ({"lab_data": "/root", "lab_data_writable": "true"}, False, True),
    ],
)
def test_permission_for_one_folder_does_not_carry_over_to_another(asked, anyway, writable):
    lab = resolve(OPTIONS, {}, ALLOWED, asked)
    assert (lab["folder_anyway"], lab["data_writable"]) == (anyway, writable)
    # What is saved next is what counted here.
    again = resolve(OPTIONS, {}, {f"lab_{name}": value for name, value in lab.items()}, {})
    assert (again["folder_anyway"], again["data_writable"]) == (anyway, writable)


@pytest.mark.parametrize(
    ("name", "value"), [("lab_port", "eighty"), ("lab_data_writable", "perhaps"), ("lab_os", "beos")]
)
def test_value_of_another_type_that_somebody_gave_is_refused(name, value):
    with pytest.raises(LabError) as told:
        resolve(OPTIONS, {}, {}, {name: value})
    assert told.value.what == f"The setting {name}={value} cannot work."


def test_port_behind_https_is_no_setting_of_the_lab():
    tags = {"access": "https", "port": 443, "type": "t2.micro", "disk_gib": 30, "release": "dr1", "id": "i-1"}
    told = {"lab_access": "https", "lab_instance_type": ["t2.micro"], "lab_disk_gib": 30, "lab_release": "dr1"}
    assert of_instance(tags) == told
    assert of_instance({**tags, "access": "direct"})["lab_port"] == 443


def test_path_of_a_person_is_expanded_and_that_of_a_label_is_not(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert resolve(OPTIONS, {}, {}, {"lab_folder": "~/work"})["folder"] == "/home/ann/work"
    assert resolve(OPTIONS, {}, {"lab_folder": "$HOME"}, {})["folder"] == "$HOME"


@pytest.mark.parametrize(("given_settings", "label"), [({}, PLAIN), (GIVEN, CHANGED)])
def test_label_is_written_as_ever_and_read_again(given_settings, label):
    placed = {"folder": "/home/ann/wörk"}
    lab = {**resolve(OPTIONS, {}, {}, given_settings), **placed}
    assert settings_label(lab, {"port": str(lab["port"])}) == label
    saved = remembered({"Config": {"Labels": {"desi.lab.settings": label}}})["settings"]
    assert saved == json.loads(label)
    again = resolve(OPTIONS, {}, saved, {})
    assert settings_label(again, {}) == label
    assert {name: again[name] for name in again if name not in ("given", "folder")} == {
        name: lab[name] for name in again if name not in ("given", "folder")
    }


REMEMBERED_VALUES = {
    "idle_minutes": 0,
    "max_hours": 48,
    "expire_days": 60,
    "expire_snapshot": False,
    "expire_role": "theirs",
    "domain": "desi.example.org",
    "certificate": "/c.pem",
    "certificate_key": "/k.pem",
}


def test_what_only_this_computer_remembers_counts_at_the_next_start():
    made = {**resolve(OPTIONS, {}, {}, {}), **REMEMBERED_VALUES}
    memory = json.dumps({"access": "https", "settings": settings_to_remember(made)})
    later = resolve(OPTIONS, {}, remembered_settings(memory), {"lab_expire_days": 7})
    assert {name: later[name] for name in REMEMBERED_VALUES} == {**REMEMBERED_VALUES, "expire_days": 7}
    started = {**later, "given": {"expire_days": 7, "release": "dr1"}}
    known = {"lab_expire_days": 14, "lab_domain": "desi.example.org"}
    assert settings_to_remember(started, known) == {**known, "lab_expire_days": 7}
    assert settings_to_remember(started, {}) == {"lab_expire_days": 7}
    # A role that was made once is there.
    assert settings_to_remember({**made, "expire_role": "make"})["lab_expire_role"] == ""


@pytest.mark.parametrize(
    "memory",
    ["", "{", "[]", '{"access": "tunnel"}', '{"settings": [1]}', '{"settings": {"lab_yes": true, "lab_domain": []}}'],
)
def test_memory_that_is_damaged_or_of_before_remembers_nothing(memory):
    assert remembered_settings(memory) == {}


def test_no_setting_has_the_name_of_a_method_which_a_template_would_take_instead():
    assert not {name.removeprefix("lab_") for name in OPTIONS} & set(dir(dict))


def test_no_secret_is_saved():
    assert set(SAVED) <= set(OPTIONS)
    assert not any("key" in name or "token" in name for name in SAVED)


@pytest.mark.parametrize(
    ("remembered", "unknown"),
    [
        ({}, ["idle_minutes", "max_hours"]),
        ({"lab_expire_days": 7, "lab_max_hours": 0}, ["idle_minutes"]),
        ({"lab_idle_minutes": 0, "lab_max_hours": 24}, []),
    ],
)
def test_each_limit_that_is_not_remembered_is_not_known(remembered, unknown):
    assert unknown_limits(remembered) == unknown
