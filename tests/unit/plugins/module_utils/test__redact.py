# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._redact import HIDDEN, redact, secrets_among


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8888/lab?token=s3cr3t",
        "http://127.0.0.1:8888/lab?token=s3cr3t&x=y",
        "302 GET /login?next=%2Flab%3Ftoken%3Ds3cr3t",
        "302 GET /login?next=%252Flab%253Ftoken%253Ds3cr3t",
        "jupyter lab --IdentityProvider.token=s3cr3t --no-browser",
        "JUPYTER_TOKEN=s3cr3t",
        'JUPYTER_TOKEN="s3cr3t"',
        "token: s3cr3t",
        '{"token": "s3cr3t", "port": 8888}',
        "TOKEN = s3cr3t",
        "Authorization: token s3cr3t",
        "authorization: Bearer s3cr3t",
        "'Authorization': 'token s3cr3t'",
        "Cookie: username-8888=s3cr3t; _xsrf=s3cr3t",
        "token: Bearer s3cr3t",
        "--ServerApp.password=argon2:s3cr3t",
        "secret_access_key: s3cr3t",
        "AWS_SECRET_ACCESS_KEY=s3cr3t",
        "api-key=s3cr3t",
    ],
)
def test_secret_is_taken_out_by_its_name(text):
    redacted = redact(text)
    assert "s3cr3t" not in redacted
    assert HIDDEN in redacted


def test_what_surrounds_a_secret_stays():
    assert redact("GET /lab?token=s3cr3t&reset (ann)") == f"GET /lab?token={HIDDEN}&reset (ann)"


def test_generated_token_is_taken_out_without_its_name():
    assert redact(f"it is {'c0de' * 12}!") == f"it is {HIDDEN}!"


@pytest.mark.parametrize(
    "text", ["5f0c4d1e2a3b" * 2, "ab" * 32, "exec: jupyter: executable file not found in $PATH", "10:57 ok"]
)
def test_other_text_stays(text):
    assert redact(text) == text


def test_named_secrets_are_taken_out_the_longest_first():
    assert redact("a blue-moon and a blue", ["blue", "blue-moon", ""]) == f"a {HIDDEN} and a {HIDDEN}"


def test_control_characters_are_taken_out():
    assert redact("a\x00b\x1bc\x9bd\te") == "abcd\te"


def test_control_characters_do_not_hide_a_secret():
    assert "s3cr3t" not in redact("tok\x00en=s3cr3t")


@given(st.text(), st.text(alphabet="abcdef0123456789", min_size=8), st.text())
def test_named_secret_never_stays(before, secret, after):
    assert secret not in redact(f"{before}{secret}{after}", [secret]).replace(HIDDEN, "\n")


def test_secrets_are_known_by_the_names_of_variables():
    environment = {
        "JUPYTER_TOKEN": "t0ken",
        "DB_PASSWORD": "pass!",
        "API_KEY": "k",
        "DESI_RELEASE": "edr",
        "EMPTY_TOKEN": "",
    }
    assert secrets_among(environment) == {"t0ken", "pass!"}
