# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._lab.instance_answer import (
    image_id,
    lab_answer,
    one_of,
    plain_text,
    port_number,
    remembered_settings,
)

TOKEN = "c0ffee" * 8
URL = f"http://127.0.0.1:8888/lab?token={TOKEN}"
ID = f"sha256:{'0a' * 32}"
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(
    "url",
    [URL, "https://0.0.0.0/lab?token=a.b-c_d~e", "http://[::1]:8888/user/ann@x/lab?token=a%20b", "http://c0ffee:9999/"],
)
def test_url_of_a_server_comes_through_as_it_is(url):
    told = {"url": url, "data": "edr", "files": "x"}
    assert lab_answer(told) == {**told, "error": {}}


@pytest.mark.security("H1")
@pytest.mark.parametrize(
    "url",
    [
        {"__jinja": "{{ 1 }}"},
        "",
        "-oProxyCommand=x",
        "javascript:alert(1)",
        f"{URL}\u009b2J",
        "http://127.0.0.1:8888/lab?token=a%0d%0aX-Evil:1",
        "http://127.0.0.1:8888/lab?token=a%1b[2J",
        "http://127.0.0.1:8888/lab?token={{lookup('pipe','id')}}",
        "http://127.0.0.1:8888/$(id)?token=a",
        "http://127.0.0.1:8888/../lab?token=a",
        "http://ann@127.0.0.1:8888/lab?token=a",
        "http://(a or b):8888/lab?token=a",
        "http://127.0.0.1:99999/lab?token=a",
        f"http://127.0.0.1:8888/lab?token={'a' * 4096}",
    ],
)
def test_what_is_no_url_of_a_server_is_refused_and_not_repeated(url):
    answer = lab_answer({"url": url})
    assert answer["url"] == ""
    assert set(answer["error"]) == {"what", "why", "do"}
    told = " ".join(answer["error"].values())
    assert "token=" not in told
    assert not CONTROLS.search(told)


@pytest.mark.security("H1")
def test_reason_why_there_is_no_url_is_lines_of_bounded_length_and_nothing_else():
    told = {"what": "evil \x1b[2J\x9b31m\rhidden", "why": "a\nb\u202e" + "c" * 400, "do": ["x"], "more": "y"}
    answer = lab_answer({"url": URL, "error": told})
    assert answer["url"] == ""
    assert set(answer["error"]) == {"what", "why", "do"}
    assert (answer["error"]["do"], len(answer["error"]["why"])) == ("", 302)
    assert not CONTROLS.search("".join(answer["error"].values()).replace("\n", ""))
    assert lab_answer({"url": URL, "error": {}})["url"] == URL


@given(st.text(max_size=80))
def test_whatever_follows_a_url_it_is_refused_or_made_of_letters_of_a_url(rest):
    answer = lab_answer({"url": f"https://h:1/lab?token=a{rest}"})
    assert re.fullmatch(r"(https://h:1/lab(\?token=[A-Za-z0-9._~%-]+)?)?", answer["url"])
    assert bool(answer["url"]) != bool(answer["error"])


@given(st.text(max_size=2000) | st.integers() | st.none())
def test_text_is_one_plain_line_of_bounded_length(value):
    text = plain_text(value)
    assert len(text) <= 300
    assert not CONTROLS.search(text)


def test_text_keeps_what_people_read():
    assert plain_text("edr\ud800, \u200bstreamed") == "edr, streamed"
    assert plain_text(" edr, streamed · 1 TB \n") == "edr, streamed · 1 TB"
    assert plain_text("x" * 400).endswith("…")


@pytest.mark.security("H1")
@pytest.mark.parametrize(
    "value", ["/home/ann", "https://h/x.git", "evil:latest", f"{ID}\n", ID.upper(), ID[:-1], "", None, 3]
)
def test_only_the_id_of_an_image_is_one(value):
    assert image_id(value) == ""
    assert image_id(ID) == ID


def test_ports_and_words_are_known_ones_or_none():
    assert [port_number(value) for value in (8888, "443", 65535)] == [8888, 443, 65535]
    for value in (0, 65536, -1, "", "\uff18\uff18", "8888 ", "8888\n", "1e3", True, None, [8888]):
        assert port_number(value) == 0
    assert one_of("direct", ("tunnel", "direct")) == "direct"
    assert [one_of(value, ("tunnel",)) for value in ("Tunnel", "", None, ["tunnel"])] == [""] * 4


@pytest.mark.security("H1")
def test_memory_has_known_names_and_plain_values():
    told = {
        "lab_data": "sample",
        "lab_port": 8888,
        "lab_data_writable": True,
        "lab_prefix": ["a"],
        "lab_cache": {"a": 1},
        "lab_folder": "/x\x1b[2J",
        "lab_image": "x" * 5000,
        "lab_yes": True,
        "ansible_connection": "local",
        3: 4,
    }
    known = ("lab_data", "lab_port", "lab_data_writable", "lab_prefix", "lab_cache", "lab_folder", "lab_image")
    kept = {"lab_data": "sample", "lab_port": 8888, "lab_data_writable": True}
    assert remembered_settings(told, known) == kept
    assert [remembered_settings(other, known) for other in (None, [], "x")] == [{}] * 3
