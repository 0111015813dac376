# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.redact import spellings
from ansible_collections.desi.lab.plugins.module_utils._doctor.bundle_redact import Cleaner, decoded

SECRET = 'wJalr+Xut/nFE MI"é='  # noqa: S105 - made up
ACCOUNT = "412345678901"
HIDDEN = "<hidden>"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def urlsafe(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


SPELLED = {
    "plain": lambda secret: secret,
    "quoted": lambda secret: quote(secret, safe=""),
    "quoted as in paths": quote,
    "quoted as in forms": quote_plus,
    "quoted twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "quoted in small letters": lambda secret: quote(secret, safe="").lower(),
    "every byte quoted": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "in JSON": lambda secret: json.dumps(secret),
    "in JSON as it is": lambda secret: json.dumps(secret, ensure_ascii=False),
    "in HTML": html.escape,
    "in Python": repr,
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal in large letters": lambda secret: secret.encode().hex().upper(),
    "base64": b64,
    "base64 for URLs": urlsafe,
    "base64 of the pair": lambda secret: b64(f"ann:{secret}"),
    "base64 of a longer pair": lambda secret: b64(f"anna-b:{secret}"),
    "base64 in the middle": lambda secret: b64(f"x{secret}, and more"),
    "base64 for URLs of the pair": lambda secret: urlsafe(f"an:{secret}"),
}


@pytest.mark.parametrize("how", SPELLED)
def test_a_secret_that_is_known_goes_in_every_spelling(how):
    cleaner, text = Cleaner([SECRET]), f"before {SPELLED[how](SECRET)} after"
    assert cleaner.holds_secret(text)
    clean = cleaner.clean(text)
    assert not cleaner.holds_secret(clean)
    assert (HIDDEN in clean, clean[:7], clean[-6:]) == (True, "before ", " after")


@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=40),
    st.sampled_from(sorted(SPELLED)),
    st.text(alphabet="abcxyz .:=&?/", max_size=7),
)
def test_whatever_the_secret_nothing_of_it_can_be_read(secret, how, before):
    cleaner = Cleaner([secret])
    assert not cleaner.holds_secret(cleaner.clean(before + SPELLED[how](secret) + " after"))


def test_a_secret_that_is_part_of_another_does_not_uncover_it():
    cleaner = Cleaner(["abcdef", "abcdefghij"])
    assert cleaner.clean("x abcdefghij y") == f"x {HIDDEN} y"


def test_a_secret_that_is_a_word_of_ours_does_not_make_every_text_hold_one():
    cleaner = Cleaner(["hidden", "user", "account", "a-real-secret"], {"ann": "<user>"})
    assert not cleaner.holds_secret(cleaner.clean("ann said a-real-secret"))


def test_words_so_short_that_they_are_everywhere_are_left():
    assert Cleaner(["a", "", "is"]).clean("this is a text") == "this is a text"
    assert spellings("abc") == {s for s in spellings("abc") if len(s) >= 4}


@pytest.mark.parametrize("text", [
    "http://127.0.0.1:8888/lab?token=s3cr3t-word", "http://127.0.0.1:8888/lab%3Ftoken%3Ds3cr3t-word",
    "Authorization: Bearer s3cr3t-word", '{"password": "s3cr3t-word"}', "https_proxy=http://ann:s3cr3t-word@proxy:3128",
    "https_proxy=http%3A%2F%2Fann%3As3cr3t-word%40proxy%3A3128", "socks5h://s3cr3t-word@proxy",
    f"https_proxy in base64: {b64('http://ann:s3cr3t-word@proxy:3128')}",
    f"in hexadecimal: {b'http://ann:s3cr3t-word@proxy:3128'.hex()}", "ghp_s3cr3twords3cr3tword12",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyM3Qtd29yZCJ9.s3cr3t-word", "X-Amz-Signature=s3cr3t-word&X-Amz-Date=20261124",
    "X-Amz-Credential=AKIAS3CR3TWORD123456%2F20261124",
    "-----BEGIN OPENSSH PRIVATE KEY-----\ns3cr3t-word\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t-word and it was cut off", "aws_secret_access_key = s3cr3t-word",
    "AWS_SESSION_TOKEN=s3cr3t-word", "c0ffee" * 8,
])  # fmt: skip
def test_what_looks_like_a_secret_goes_though_nobody_knew_it(text):
    clean = Cleaner().clean(f"before {text}\nafter")
    assert HIDDEN in clean
    assert not any(word in clean.lower() for word in ("s3cr3t-word", "s3cr3tword", "c0ffee", "ann:"))
    assert clean.startswith("before ")


@pytest.mark.parametrize("text", [
    ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Auser", f"account%20{ACCOUNT}",
    f"id={ACCOUNT}&", f'"{ACCOUNT}"', f"{ACCOUNT[:4]}-{ACCOUNT[4:8]}-{ACCOUNT[8:]}",
    b64(f"arn:aws:iam::{ACCOUNT}:user/ann"),
    b64(ACCOUNT),
    urlsafe(f"x?{ACCOUNT}"),
    f"arn:aws:iam::{ACCOUNT}:user/ann".encode().hex(),
    ACCOUNT.encode().hex(),
])  # fmt: skip
def test_the_number_of_an_account_goes_in_every_spelling(text):
    clean = Cleaner().clean(f"before {text} after")
    assert ACCOUNT not in clean
    assert text not in clean
    for word in clean.split():
        assert not any(ACCOUNT in said for said in decoded(word))


@pytest.mark.parametrize("text", [
    "4123456789012 bytes", "41234567890 bytes",
    "sha256:2f314230bb6f598fe86129c1fb9ef47ac76a540bbe3be252ce4e1a1c0cf019ac", "2026-11-24T11:26:46.76861102Z",
    "/var/lib/desi-lab/mounts/desidata-6e71783b/.bucket", "Docker Engine 20.10.24+dfsg1", "TASK Look at the engine  ok",
    "127.0.0.1:8888 10.0.0.5 192.168.1.4 172.17.0.1 ::1 fe80::1", "eth0@if3 <hidden>",
    "authorities 144 in /etc/ssl/certs/ca-certificates.crt",
])  # fmt: skip
def test_what_is_no_secret_stays_as_it_is(text):
    assert Cleaner().clean(text) == text


def test_public_addresses_are_numbered_so_that_the_same_can_be_told():
    text = "198.51.100.7 and 203.0.113.9, 198.51.100.7:22, 2001:db8::7 and ec2-198-51-100-7.us-west-2.compute"
    clean = Cleaner().clean(text)
    assert clean == "<address 1> and <address 2>, <address 1>:22, <address 3> and ec2-<address 1>.us-west-2.compute"


def test_names_of_people_and_computers_are_replaced_as_words():
    cleaner = Cleaner(names={"ann": "<user>", "pc-7": "<host>", "root": "<user>", "x": "<user>", "": "<user>"})
    text = "/home/ann/desi ann@pc-7 joanna x root"
    assert cleaner.clean(text) == "/home/<user>/desi <user>@<host> joanna x root"


def test_structures_are_cleaned_by_the_names_that_values_stand_under():
    data = {
        "Env": ["JUPYTER_TOKEN=abc", "PATH=/usr/bin", "AWS_SECRET_ACCESS_KEY=def"],
        "Args": ["jupyter", "--IdentityProvider.token", "ghi", "--port", "8888", "--password=jkl"],
        "deep": [{"api_key": "mno", "name": "desi", "count": 3, "none": None}],
        "Tokens": ["pqr"],
    }
    assert Cleaner().structure(data) == {
        "Env": [f"JUPYTER_TOKEN={HIDDEN}", "PATH=/usr/bin", f"AWS_SECRET_ACCESS_KEY={HIDDEN}"],
        "Args": ["jupyter", "--IdentityProvider.token", HIDDEN, "--port", "8888", f"--password={HIDDEN}"],
        "deep": [{"api_key": HIDDEN, "name": "desi", "count": 3, "none": None}],
        "Tokens": [HIDDEN],
    }
