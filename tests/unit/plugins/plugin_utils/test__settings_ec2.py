# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a lab on EC2 that cannot work are refused before AWS is asked, and those that can are not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._settings_ec2 import (
    LISTS,
    TEXTS,
    check_certificate,
    check_ec2_values,
    words,
)

GOOD = {
    "lab_region": ["us-west-2", "eu-central-1", "us-gov-west-1", "ap-southeast-7"],
    "lab_instance_type": ["t2.micro", "t3.xlarge,t3a.xlarge", ["m7i.large", "u-6tb1.56xlarge"], "t3.large, t3a.large"],
    "lab_disk_gib": [8, "30", 16384],
    "lab_allow_from": [
        "auto",
        ["203.0.113.7"],
        "203.0.113.0/24,2001:db8::/48",
        ["auto", "198.51.100.0/25"],
        "0.0.0.0/0",
    ],
    "lab_security_group": ["jupyter", "my group (1)"],
    "lab_subnet": ["", "subnet-0123456789abcdef0", "subnet-1a2b3c4d"],
    "lab_host_key": ["", "SHA256:" + "a" * 43],
    "lab_domain": ["", "desi.example.org", "a-b.example.co.uk"],
    "lab_idle_minutes": [0, 1, "60", 10080],
    "lab_max_hours": [0, "12", 8760],
    "lab_expire_days": [0, 14, "365"],
    "lab_expire_role": ["", "make", "desi-lab-expiry-ann", "arn:aws:iam::123456789012:role/path/theirs"],
}
BAD = {
    "lab_region": ["", "us-west-2a", "US-WEST-2", "oregon", "us_west_2"],
    "lab_instance_type": ["", "micro", "t2.micro,", "t2 micro", "T2.micro", [], ["t2.micro", None]],
    "lab_disk_gib": [7, 16385, "30GiB", "", -1, 30.5, True, None],
    "lab_allow_from": ["", "me", "203.0.113.0/33", "300.1.1.1", [], ["auto", "home"], "0.0.0.0/0;"],
    "lab_security_group": ["", "sg-0123", "jupyter ", "größe", "x" * 201],
    "lab_subnet": ["subnet", "subnet-xyz", "sg-0123456789abcdef0", "subnet-0123456789ABCDEF0"],
    "lab_host_key": ["SHA256:", "SHA256:" + "a" * 44, "MD5:00:11", "a" * 43, "SHA256:" + "a" * 42 + " "],
    "lab_domain": [
        "https://desi.example.org",
        "desi",
        "desi.example.org:443",
        "-a.example.org",
        "a..org",
        "203.0.113.7",
    ],
    "lab_idle_minutes": [-1, "-60", 10081, "1h", "", 0.5, True, None, "1e3"],
    "lab_max_hours": [-1, 8761, "12h", "", 1.5, False, None, "inf", "٣"],
    "lab_expire_days": [-1, "", "two weeks", 1.5, 10000, None],
    "lab_expire_role": ["my role", "arn:aws:iam::1:role/x", "rôle", "x" * 65],
}


def test_every_check_is_tried_with_good_and_bad_values():
    assert set(GOOD) == set(BAD) == {*LISTS, *TEXTS}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_a_value_that_can_work_is_taken(name, value):
    check_ec2_values({name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_value_that_cannot_work_is_refused_in_three_sentences(name, value):
    with pytest.raises(LabError) as refused:
        check_ec2_values({name: value})
    assert name in refused.value.what
    assert refused.value.why.endswith(".")
    assert refused.value.do


@given(st.text(max_size=30) | st.integers() | st.none() | st.lists(st.text(max_size=10), max_size=3))
def test_no_value_is_answered_by_anything_but_a_refusal(value):
    for name in (*LISTS, *TEXTS):
        with contextlib.suppress(LabError):
            check_ec2_values({name: value})


@pytest.mark.parametrize(
    ("given_", "read"),
    [("a", ["a"]), ("a, b", ["a", "b"]), (["a", "b"], ["a", "b"]), (7, ["7"]), ("", [""])],
)
def test_a_list_is_read_in_every_form_in_which_people_give_it(given_, read):
    assert words(given_) == read


WHOLE = {
    "lab_domain": "desi.example.org",
    "lab_certificate": "/etc/ssl/desi.pem",
    "lab_certificate_key": "/etc/ssl/private/desi.pem",
}


def test_a_certificate_with_its_key_and_its_name_is_taken():
    check_certificate(WHOLE)
    check_certificate({"lab_domain": "desi.example.org"})
    check_certificate({})


@pytest.mark.parametrize("missing", WHOLE)
def test_a_certificate_of_which_something_is_missing_is_refused_by_the_name_of_that(missing):
    with pytest.raises(LabError) as refused:
        check_certificate({**WHOLE, missing: ""})
    assert missing in refused.value.what
    assert missing in refused.value.do


@pytest.mark.parametrize("name", ["lab_certificate", "lab_certificate_key"])
def test_a_relative_path_of_a_certificate_is_refused(name):
    with pytest.raises(LabError) as refused:
        check_certificate({**WHOLE, name: "desi.pem"})
    assert "absolute" in refused.value.why
