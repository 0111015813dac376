# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.redact import (
    HIDDEN,
    all_spellings,
    cut_redacted,
    is_secret_name,
    redact,
    secrets_in,
)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8888/lab?token=s3cr3t",
        "302 GET /login?next=%2Flab%3Ftoken%3Ds3cr3t",
        "302 GET /login?next=%252Flab%253Ftoken%253Ds3cr3t",
        "jupyter lab --IdentityProvider.token=s3cr3t --no-browser",
        '{"token": "s3cr3t", "port": 8888}',
        "TOKEN = s3cr3t",
        "Authorization: token s3cr3t",
        "authorization: Bearer s3cr3t",
        "'Authorization': 'token s3cr3t'",
        "Cookie: username-8888=s3cr3t; _xsrf=s3cr3t",
        "token: Bearer s3cr3t",
        "--ServerApp.password=argon2:s3cr3t",
        "secret_access_key: s3cr3t",
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
        ("https://example.org/npm/a@1.2.3 by ann@b.org", "https://example.org/npm/a@1.2.3 by ann@b.org"),
        ("http://127.0.0.1:8888/lab/tree/a%40b.ipynb", "http://127.0.0.1:8888/lab/tree/a%40b.ipynb"),
        ("http://ann:pa/s@s@proxy:3128/x did", f"http://{HIDDEN}@proxy:3128/x did"),
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
    assert secrets_in(environment) == {"t0ken", "pass!"}


NAMES = [
    *("DB_PASS", "SSHPASS", "ansible_become_pass", "dbPass", "SMTP_PASSPHRASE", "PGPASSWORD", "rsync_passwd"),
    *("MYSQL_PWD", "pwd", "GITHUB_PAT", "PAT", "API_TOKEN", "CLIENT_SECRET", "LUKS_PASSCODE", "db-pass"),
]


@pytest.mark.security("M7")
@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_known_by_the_end_of_its_name_in_texts_and_structures(name):
    for text in (f"{name}=hunter2xyz", f"-e '{name}=hunter2xyz'", f'"{name}": "hunter2xyz"', f"{name}: hunter2xyz"):
        assert "hunter2xyz" not in redact(f"ran {text} at all")
    assert is_secret_name(name)
    assert secrets_in({name: "two words"}) == {"two words"}
    assert secrets_in([f"{name}=two words", f"--{name}", "next one"]) == {"two words", "next one"}


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "COMPAT", "PATTERN", "PATH", "PASSENGERS", "GITHUB_PATH", "EDITOR"])
def test_a_name_that_only_looks_like_it_is_none(name):
    text = f"{name}=/srv/somewhere"
    assert (redact(text), is_secret_name(name), secrets_in([text])) == (text, False, set())


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "words",
    [
        ["-e", "ansible_become_pass=a&b<c"],
        ["-e", "x=1 ansible_become_pass='a&b<c' y=2"],
        ["-e", '{"x": {"ansible_become_pass": "a&b<c"}}'],
        ["--extra-vars=ansible_become_pass=a&b<c"],
        ['--extra-vars={"ansible_become_pass": "a&b<c"}'],
    ],
)
def test_a_secret_among_the_words_of_a_command_is_known_whole(words):
    assert "a&b<c" in secrets_in(words)


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "text",
    [
        "git clone https://ann:CANARY@example.org/r.git",
        "https://CANARY@example.org/r.git",
        "http%3A%2F%2Fann:CANARY%40proxy.example.org",
        "http://ann:p/CANARY@proxy.example.org:3128",
        "http://ann:p#?CANARY@proxy.example.org:3128",
        "http://ann:p@CANARY@proxy.example.org:3128",
        "http://ann:p@/CANARY@b/CANARY@proxy.example.org:3128",
        "http://ann:p:a/CANARY@x@[::1]:3128/",
        "'https_proxy': 'http://ann:pa/ss@CANARY@proxy:3128', and more",
        "https://example.org/?next=http://ann:pa/CANARY@proxy",
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


KEYS = ("AKIA", "ASIA", "AROA", "AIDA", "AGPA", "ANPA")


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "text", [*(f"{kind}IOSFODNN7EXAMPLE" for kind in KEYS), "ghp_" + "a" * 36, "glpat-" + "b" * 20]
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
    secrets = secrets_in({"http_proxy": f"http://ann:{password}@proxy:3128,http://b:OTHER@proxy"})
    assert {password, "OTHER"} <= secrets
    assert "CANARY" not in redact(f"it was {password}, and not OTHER", all_spellings(secrets))


@pytest.mark.security("M7")
def test_the_password_of_a_proxy_is_known_in_any_spelling():
    secrets = all_spellings(secrets_in({"https_proxy": "http://ann:p%40ss%2Fw0rd@proxy:3128", "EDITOR": "vi"}))
    for text in ("p@ss/w0rd", "p%40ss%2Fw0rd", "cEBzcy93MHJk"):
        assert redact(f"({text})", secrets) == f"({HIDDEN})"


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "value",
    ["http://ann:1/2@3/s@proxy:3128", "ann:1/2@3/s@proxy", "http://ann:1/2@3/s@", "http://ann:1/2@3/s@proxy:x/"],
)
def test_the_password_of_a_proxy_is_all_before_the_last_at(value):
    assert {"1/2@3/s", "ann:1/2@3/s"} <= secrets_in({"HTTPS_PROXY": value})
    assert secrets_in([f"all_proxy={value}"]) >= {"1/2@3/s"}
    assert redact("it said 1/2@3/s", all_spellings(secrets_in({"http_proxy": value}))) == f"it said {HIDDEN}"


@pytest.mark.security("M7")
def test_what_a_proxy_has_before_its_host_is_a_secret_without_a_colon_too():
    assert secrets_in({"http_proxy": "http://t0/ken@proxy"}) == {"t0/ken"}
    assert secrets_in({"http_proxy": "http://proxy:3128", "REMOTE": "https://ann@example.org"}) == set()


@pytest.mark.security("M7")
def test_a_known_secret_that_is_a_part_of_another_leaves_none_of_it():
    for text in ("http://ann:hunter2xyz@proxy", "db_pass=hunter2xyz", "token: hunter2xyz"):
        assert "2xyz" not in redact(text, {"hunter"})


def test_a_long_text_of_schemes_takes_no_time():
    text = "http://" * 100_000
    began = time.monotonic()
    assert redact(text) == text
    assert time.monotonic() - began < 5


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
