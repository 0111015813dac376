# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.redact import (
    HIDDEN,
    all_spellings,
    cut_redacted,
    redact,
    secrets_among,
)


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


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /lab?token=s3cr3t&reset (ann)", f"GET /lab?token={HIDDEN}&reset (ann)"),
        (f"it is {'c0de' * 12}!", f"it is {HIDDEN}!"),
        ("5f0c4d1e2a3b" * 2, "5f0c4d1e2a3b" * 2),
        ("ab" * 32, "ab" * 32),
        ("exec: jupyter: executable file not found in $PATH", "exec: jupyter: executable file not found in $PATH"),
        ("ssh://git@example.org/r.git", "ssh://git@example.org/r.git"),
        ("a\x00b\x1bc\x9bd\te", "abcd\te"),
        ("tok\x00en=s3cr3t", f"token={HIDDEN}"),
    ],
)
def test_what_surrounds_a_secret_stays_without_control_characters(text, left):
    assert redact(text) == left


def test_named_secrets_are_taken_out_the_longest_first():
    assert redact("a blue-moon and a blue", ["blue", "blue-moon", ""]) == f"a {HIDDEN} and a {HIDDEN}"


@given(st.text(), st.text(alphabet="abcdef0123456789", min_size=8), st.text())
def test_named_secret_never_stays(before, secret, after):
    assert secret not in redact(f"{before}{secret}{after}", [secret]).replace(HIDDEN, "\n")


def test_secrets_are_known_by_the_names_of_variables():
    environment = {"JUPYTER_TOKEN": "t0ken", "DB_PASSWORD": "pass!", "API_KEY": "k", "EMPTY_TOKEN": "", "TERM": "vt100"}
    assert secrets_among(environment) == {"t0ken", "pass!"}


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "text",
    [
        "git clone https://ann:CANARY@example.org/r.git",
        "https://CANARY@example.org/r.git",
        "HTTP_PROXY=http://ann:CANARY@proxy.example.org:3128",
        "http%3A%2F%2Fann:CANARY%40proxy.example.org",
        "http://ann:p/CANARY@proxy.example.org:3128",
        "http://ann:p#?CANARY@proxy.example.org:3128",
        "http://ann:p@CANARY@proxy.example.org:3128",
        "http://ann:p@/CANARY@b/CANARY@proxy.example.org:3128",
        "GET /o?X-Amz-Signature=CANARY&x=1",
        "X-Amz-Credential=CANARY/20261128",
        "X-Amz-Security-Token=CANARY",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nCANARY and the text ends",
    ],
)
def test_credentials_are_taken_out_by_their_place(text):
    redacted = redact(text)
    assert "CANARY" not in redacted
    assert HIDDEN in redacted


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "text", ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36, "glpat-" + "b" * 20]
)
def test_credentials_are_taken_out_by_their_form(text):
    assert redact(f"it is {text}!") == f"it is {HIDDEN}!"


@pytest.mark.parametrize(
    "text",
    [
        *("https://example.org/@ann", "https://example.org:8080/r@v1", "git+https://example.org/r.git@main"),
        *("see https://example.org/a and ann@example.org", "ghcr.io/a/b@sha256:0"),
    ],
)
def test_at_sign_behind_a_host_is_no_end_of_a_password(text):
    assert redact(text) == text


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "password", ["p/CANARY", "p#CANARY", "1/CANARY", "p@CANARY", "/CANARY@", "p%2FCANARY", "CANARY"]
)
def test_password_with_any_sign_in_it_is_known_from_the_environment(password):
    secrets = secrets_among({"http_proxy": f"http://ann:{password}@proxy:3128,http://b:OTHER@proxy"})
    assert {password, "OTHER"} <= secrets
    assert "CANARY" not in redact(f"it was {password}, and not OTHER", all_spellings(secrets))


@pytest.mark.security("M7")
def test_the_password_of_a_proxy_is_known_in_any_spelling():
    secrets = all_spellings(secrets_among({"https_proxy": "http://ann:p%40ss%2Fw0rd@proxy:3128", "EDITOR": "vi"}))
    for text in ("p@ss/w0rd", "p%40ss%2Fw0rd", "cEBzcy93MHJk"):
        assert redact(f"({text})", secrets) == f"({HIDDEN})"


@pytest.mark.security("L7")
@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_cut_leaves_no_part_of_a_token(at):
    token = "0123456789abcdef" * 3
    for length in (100, 250):
        text = "x " * ((length - at) // 2) + token + " y" * length
        for part in (token[:12], token[-12:]):
            assert part not in cut_redacted(text, (), 100)


def test_what_is_cut_says_how_much():
    assert cut_redacted("word " * 100, (), 100) == "word " * 20 + "\n… and 400 letters more"
    assert cut_redacted("word", (), 100) == "word"
