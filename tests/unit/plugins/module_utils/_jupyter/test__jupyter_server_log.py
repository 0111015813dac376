# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re
import tracemalloc
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._jupyter import server_log as jupyter_server_log
from ansible_collections.desi.lab.plugins.module_utils._jupyter.server_log import (
    LAST_LINES,
    MAX_LINE,
    Server,
    ServerLog,
)

# What real servers printed. Tokens, paths, ports and host names were replaced, the chatter of add-ons left out.
RECORDED = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "data").glob("*.txt"))}
TOKEN = "c0de" * 12
OTHER = "beef" * 12
END = re.compile(
    rb"^[^\n]*(?:received signal|Shutting down on|" + "接受信号".encode() + rb"|\] interrupted).*",
    re.DOTALL | re.MULTILINE,
)
MARK = "[I 2026-11-22 13:57:12.790 ServerApp] "
HEADING = f"{MARK}Jupyter Server 2.21.1 is running at:\n"


def read(*pieces: str | bytes) -> ServerLog:
    log = ServerLog()
    for piece in pieces:
        log.feed(piece.encode() if isinstance(piece, str) else piece)
    log.finish()
    return log


def running(name: str) -> bytes:
    """What the server had printed when it ran, before it was stopped."""
    return END.sub(b"", RECORDED[name])


def banner(token: str = TOKEN, port: int = 8888, mark: str = MARK) -> str:
    query = f"?token={token}" if token else ""
    return (
        f"{mark}Jupyter Server 2.21.1 is running at:\n{mark}http://127.0.0.1:{port}/lab{query}\n{mark}Use Control-C\n"
    )


def prefixed(prefix: bytes, data: bytes) -> bytes:
    return b"".join(prefix + line for line in data.splitlines(keepends=True))


def answer(server: Server | None) -> tuple | None:
    if server is None:
        return None
    return (
        server.plain_token,
        server.token_hidden,
        server.password_set,
        server.authentication_off,
        server.stream,
        tuple(server.urls),
    )


def found(log: ServerLog) -> str | None:
    return log.newest and log.newest.plain_token


EXPECTED = {
    # name: scheme, path, hosts
    "nbclassic_on_server1": ("http", "/tree", ["5f0c4d1e2a3b", "127.0.0.1"]),
    "notebook5": ("http", "/", ["localhost"]),
    "notebook5_any_ip": ("http", "/", ["5f0c4d1e2a3b", "127.0.0.1"]),
    "notebook5_interrupted": ("http", "/", ["5f0c4d1e2a3b", "127.0.0.1"]),
    "notebook5_no_auth": ("http", "/", ["localhost"]),
    "notebook5_password": ("http", "/", ["localhost"]),
    "notebook5_v6": ("http", "/", ["::1"]),
    "notebook5_zh": ("http", "/", ["localhost"]),
    "notebook65": ("http", "/", ["5f0c4d1e2a3b", "127.0.0.1"]),
    "notebook65_no_auth": ("http", "/", ["5f0c4d1e2a3b"]),
    "notebook65_password": ("http", "/", ["5f0c4d1e2a3b"]),
    "notebook65_zh": ("http", "/", ["localhost", "127.0.0.1"]),
    "notebook6_lab2": ("http", "/", ["5f0c4d1e2a3b", "127.0.0.1"]),
    "server1_lab": ("http", "/lab", ["localhost", "127.0.0.1"]),
    "server1_lab_any_ip": ("http", "/lab", ["5f0c4d1e2a3b", "127.0.0.1"]),
    "server1_lab_no_auth": ("http", "/lab", ["localhost", "127.0.0.1"]),
    "server1_lab_password": ("http", "/lab", ["localhost", "127.0.0.1"]),
    "server1_lab_v6": ("http", "/lab", ["[::1]", "127.0.0.1"]),
    "server2_lab": ("http", "/lab", ["localhost", "127.0.0.1"]),
    "server2_lab_any_ip": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_api_shutdown": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_base_url": ("http", "/user/ann/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_display_url": ("http", "/lab", ["lab.example.org", "127.0.0.1", "5f0c4d1e2a3b"]),
    "server2_lab_env_token": ("http", "/lab", ["0.0.0.0", "127.0.0.1"]),  # noqa: S104 - data
    "server2_lab_gateway": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_https": ("https", "/lab", ["localhost", "127.0.0.1"]),
    "server2_lab_interrupted": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_no_auth": ("http", "/lab", ["0.0.0.0", "127.0.0.1"]),  # noqa: S104 - data
    "server2_lab_no_file": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_password": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_resumed": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_tty": ("http", "/lab", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_lab_v6": ("http", "/lab", ["[::1]"]),
    "server2_lab_v6_any": ("http", "/lab", ["[::]", "[::1]", "5f0c4d1e2a3b"]),
    "server2_nbclassic": ("http", "/nbclassic/tree", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_notebook7": ("http", "/tree", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
    "server2_server": ("http", "/", ["0.0.0.0", "127.0.0.1", "5f0c4d1e2a3b"]),  # noqa: S104 - data
}


def test_every_recording_is_expected():
    assert set(RECORDED) == set(EXPECTED)


@pytest.mark.parametrize("name", RECORDED)
def test_running_server_is_found_as_it_was_recorded(name):
    server = read(running(name)).newest
    scheme, path, hosts = EXPECTED[name]
    assert (server.url.scheme, server.url.port, server.url.path) == (scheme, 8888, path)
    assert [host for url in server.urls for host in url.hosts] == hosts
    assert server.token_hidden is name.endswith("_env_token")
    assert server.password_set is name.endswith("_password")
    assert server.authentication_off is name.endswith("_no_auth")
    unknown = server.token_hidden or server.password_set or server.authentication_off
    assert server.plain_token == ("" if unknown else TOKEN)


@pytest.mark.parametrize("name", RECORDED)
def test_server_that_was_stopped_is_not_found(name):
    log = read(RECORDED[name])
    assert log.newest is None
    assert log.had_server


@pytest.mark.parametrize("first", RECORDED)
@pytest.mark.parametrize("second", ["server2_lab_any_ip", "notebook5_any_ip", "server2_lab_tty", "notebook65"])
def test_server_started_after_one_that_was_stopped_is_found(first, second):
    again = running(second).replace(TOKEN.encode(), OTHER.encode())
    assert found(read(RECORDED[first], again)) == OTHER


@pytest.mark.parametrize("first", RECORDED)
def test_server_started_after_one_that_was_killed_is_found_alone(first):
    again = RECORDED["server2_lab_any_ip"].replace(TOKEN.encode(), OTHER.encode())
    assert found(read(running(first), END.sub(b"", again))) == OTHER
    assert found(read(running(first), again)) is None


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize(
    "prefix",
    [
        b"lab-1  | ",
        b"desi_lab_1 | ",
        b"\x1b[36mlab-1  | \x1b[0m",
        b"2026-11-22T13:57:12.790123456Z ",
        b"2026-11-22 13:57:12,790 ",
        b"2026-11-22T13:57:12+01:00 ",
        b"lab-1  | 2026-11-22T13:57:12.790123456Z ",
        b"Nov  2 13:57:12 host docker[123]: ",
    ],
)
def test_prefixes_of_other_tools_do_not_matter(name, prefix):
    expected = read(running(name)).newest
    server = read(prefixed(prefix, running(name))).newest
    assert answer(server)[:4] == answer(expected)[:4]
    assert server.urls == expected.urls
    assert read(prefixed(prefix, RECORDED[name])).newest is None


@pytest.mark.parametrize("name", RECORDED)
def test_line_ends_do_not_matter(name):
    data = running(name).replace(b"\r\n", b"\n")
    assert answer(read(data.replace(b"\n", b"\r\n")).newest) == answer(read(data).newest)
    assert answer(read(data.replace(b"\n", b"\r")).newest) == answer(read(data).newest)


@pytest.mark.parametrize(
    "colours",
    ["\x1b[32m", "\x1b[38;5;46;1m", "\x1b(B\x1b[m", "\x1b]8;;http://example.org\x07", "\x1b]0;lab\x1b\\", "\x1b7"],
)
def test_colours_and_other_escapes_do_not_matter(colours):
    text = f"{colours}{MARK}{colours}http://127.0.0.1:8888/lab?{colours}token={TOKEN}{colours}\n"
    assert found(read(text)) == TOKEN


def test_lines_that_are_not_utf8_do_not_matter():
    noise = b"\xff\xfe\x00\xc3( caf\xe9\n"
    assert found(read(noise, banner(), noise)) == TOKEN
    assert found(read(HEADING, noise, f"{MARK}http://127.0.0.1:8888/lab?token={TOKEN}")) == TOKEN


@pytest.mark.parametrize(
    "line",
    [
        "[I 12:00:00.000 NotebookApp] The Jupyter Notebook is running at: http://localhost:8888/?token={token}",
        "[I 12:00:00.000 NotebookApp] The Jupyter Notebook is running at: https://[::1]:8888/?token={token}",
        "The Jupyter Notebook is running at: http://localhost:8888/?token={token}",
        "[I 2026-11-22 12:00:00.000 SingleUserLabApp serverapp:2950] http://127.0.0.1:8888/user/ann/lab?token={token}",
        "[ServerApp] http://127.0.0.1:8888/lab?token={token}",
        "[C 12:00:00.000 NotebookApp]\n    Copy/paste this URL into your browser when you connect for the first time,\n"
        "    to login with a token:\n        http://5f0c4d1e2a3b:8888/?token={token}&token={token}",
        "    To access the server, copy and paste one of these URLs:\n        http://5f0c4d1e2a3b:8888/lab?token={token}",
        "    Or copy and paste this URL:\n        http://5f0c4d1e2a3b:8888/lab?token={token}",
        "The Jupyter Notebook is running at:\n\n \n0 active kernels\nhttp://localhost:8888/?token={token}",
    ],
)
def test_forms_of_other_versions_are_understood(line):
    assert found(read(line.format(token=TOKEN))) == TOKEN


@pytest.mark.parametrize(
    ("printed", "token"),
    [
        ("x", "x"),
        ("my-lab_token.~", "my-lab_token.~"),
        ("f00", "f00"),
        ("0123456789abcdef" * 8, "0123456789abcdef" * 8),
        ("a%2Fb%26c%3Dd%25", "a/b&c=d%"),
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("%C3%A9t%C3%A9", "été"),
        ("....", "...."),
    ],
)
def test_tokens_of_any_form_are_read(printed, token):
    log = read(banner(printed))
    assert found(log) == token
    assert log.tokens == {printed, token}
    assert not log.newest.token_hidden


@pytest.mark.parametrize(
    "path", ["/lab", "/tree", "/", "/user/x/lab", "/user/ann%20lee/lab", "/a/b/c/tree/notebook.ipynb"]
)
def test_any_path_is_read(path):
    assert read(HEADING, f"{MARK}http://127.0.0.1:8888{path}?token={TOKEN}").newest.url.path == path


@pytest.mark.parametrize(
    "warning", ["All authentication is disabled.  Anyone who", "WARNING: … and not using authentication."]
)
def test_server_that_lets_everyone_in_is_not_taken_for_one_with_a_password(warning):
    server = read(f"{MARK}{warning}\n", banner("")).newest
    assert server.authentication_off
    assert not server.password_set


def test_warning_of_an_earlier_server_says_nothing_of_a_later_one():
    log = read(f"{MARK}All authentication is disabled.\n", banner(""), banner(TOKEN))
    assert (log.newest.authentication_off, log.newest.password_set) == (False, False)
    log = read(f"{MARK}All authentication is disabled.\n", banner(""), banner("", 8889))
    assert (log.newest.authentication_off, log.newest.password_set) == (False, True)


def test_server_with_a_token_does_not_let_everyone_in_whatever_was_warned_of():
    assert not read(f"{MARK}All authentication is disabled.\n", banner(TOKEN)).newest.authentication_off


def test_warning_printed_by_a_program_is_not_the_servers():
    assert read("All authentication is disabled.\n", banner("")).newest.password_set


def test_given_token_is_filled_in_everywhere():
    server = read(running("server2_lab_env_token")).newest
    server.give_token("made-up%21")
    assert server.plain_token == unquote("made-up%21")
    assert not server.token_hidden
    assert {url.token for url in server.urls} == {"made-up%21"}


# What programs of the user's print


@pytest.mark.parametrize(
    "printed",
    [
        f"http://evil.example.org:9/lab?token={OTHER}",
        f"see http://evil.example.org:9/lab?token={OTHER} for more",
        f"The Jupyter Notebook is running at: http://evil.example.org:9/lab?token={OTHER}",
        f"The Jupyter Notebook is running at:\nhttp://evil.example.org:9/lab?token={OTHER}",
        f"copy and paste one of these URLs:\nhttp://evil.example.org:9/lab?token={OTHER}",
        f"token={OTHER}",
        f"Shutting down...\nhttp://evil.example.org:9/lab?token={OTHER}",
        f"Gateway server running at:\nhttp://evil.example.org:9/lab?token={OTHER}",
    ],
)
@pytest.mark.parametrize("name", ["server2_lab", "notebook65", "notebook5_zh", "server2_lab_gateway"])
def test_what_a_program_prints_never_wins_over_the_server(printed, name):
    expected = answer(read(running(name)).newest)
    text = printed.encode() + b"\n"
    assert answer(read(running(name), text).newest) == expected
    assert answer(read(running(name), text, text).newest) == expected
    first = read(text, running(name)).newest
    assert first.plain_token == TOKEN


def test_line_right_after_a_banner_is_not_taken_for_a_part_of_it():
    for mark in (MARK, ""):
        text = f"{mark}Jupyter Server is running at:\n{mark}http://127.0.0.1:8888/lab?token={TOKEN}\n"
        log = read(text, f"http://127.0.0.1:8888/lab?token={OTHER}\n")
        assert found(log) == TOKEN
        assert len(log.newest.urls) == 1


def test_request_lines_with_tokens_are_not_banners():
    lines = (
        f"{MARK}302 GET /?token={OTHER} (@192.0.2.7) 0.50ms\n"
        f"[W 2026-11-22 13:57:12.790 ServerApp] 404 GET /x (@192.0.2.7) 1ms referer=http://evil.example.org/?token={OTHER}\n"
    )
    assert found(read(lines)) is None
    assert found(read(banner(), lines)) == TOKEN


def test_url_that_stands_alone_is_no_more_than_a_guess():
    log = read(f"http://127.0.0.1:8888/lab?token={OTHER}\n")
    assert log.newest is None
    assert not log.had_server
    assert log.guess.plain_token == OTHER


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8888/lab", f"see http://127.0.0.1/?token={TOKEN}", f"ftp://h/?token={TOKEN}"]
)
def test_other_lines_are_not_even_a_guess(text):
    assert read(text).guess is None


def test_url_without_a_token_needs_a_heading():
    assert read(f"{MARK}http://127.0.0.1:8888/lab\n").newest is None
    assert read(HEADING, f"{MARK}http://127.0.0.1:8888/lab\n").newest.password_set


def test_heading_in_chinese_is_understood():
    assert read(f"{MARK}Jupyter Notebook运行在:\n{MARK}http://127.0.0.1:8888/\n").newest.password_set


def test_lines_after_a_banner_are_not_a_part_of_it():
    log = read(banner(""), f"{MARK}http://127.0.0.1:8787/status\n")
    assert [url.port for url in log.newest.urls] == [8888]


def test_empty_lines_between_heading_and_url_do_not_matter():
    assert read(HEADING, f"{MARK}\n" * 9, f"{MARK}http://127.0.0.1:8888/lab\n").newest.password_set


def test_heading_does_not_wait_for_its_url_for_ever():
    assert read(HEADING, f"{MARK}a\n" * 3, f"{MARK}http://127.0.0.1:8888/lab\n").newest is None


def test_gateway_is_not_the_server():
    gateway = f"{MARK}Kernels will be managed by the Gateway server running at:\n{MARK}http://gw.example.org:1/?token={OTHER}\n"
    assert found(read(gateway)) is None
    log = read(banner(), gateway)
    assert found(log) == TOKEN
    assert found(read(gateway, banner())) == TOKEN
    assert len(log.newest.urls) == 1


def test_gateway_whose_url_is_missing_does_not_swallow_a_later_one():
    gateway = f"{MARK}Kernels will be managed by the Gateway server running at:\n"
    assert found(read(gateway, banner())) == TOKEN
    assert found(read(f"{gateway[:-1]} http://gw.example.org:1/\n", f"{MARK}http://127.0.0.1/?token={TOKEN}")) == TOKEN


# Several servers


def test_server_started_last_wins():
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889))) == OTHER


def test_ends_are_told_apart_from_those_of_a_server_that_ended_before():
    first, second = f"{MARK}received signal 15, stopping\n", f"{MARK}Shutting down on /api/shutdown request.\n"
    assert found(read(banner(), first, banner(OTHER), second)) is None


def test_each_end_that_is_said_twice_is_of_two_servers():
    ends = f"{MARK}received signal 15, stopping\n" + f"{MARK}Shutting down 6 extensions\n" * 2
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889), ends)) is None


def test_server_that_ends_while_it_starts_has_no_url():
    end = f"{MARK}received signal 15, stopping\n"
    assert read(HEADING, end, f"{MARK}http://127.0.0.1:8888/lab\n").newest is None


def test_server_started_again_with_its_old_token_and_an_unknown_heading_is_found():
    url = f"{MARK}http://127.0.0.1:8888/lab?token={TOKEN}\n"
    assert found(read(url, f"{MARK}received signal 15, stopping\n", url)) == TOKEN


def test_server_that_goes_on_is_found_when_a_later_one_has_ended():
    end = f"{MARK}received signal 15, stopping\n{MARK}Shutting down 6 extensions\n{MARK}Shutting down 0 kernels\n"
    log = read(banner(TOKEN, 8888), banner(OTHER, 8889), end)
    assert found(log) == TOKEN
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889), end, end)) is None


def test_ends_of_two_servers_may_be_mixed():
    ends = "".join(
        f"{MARK}{words}\n{MARK}{words}\n" for words in ("received signal 15, stopping", "Shutting down 6 extensions")
    )
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889), ends)) is None


def test_banner_printed_again_does_not_make_a_server_newer():
    again = f"{MARK}interrupted\n{HEADING}{MARK}http://127.0.0.1:8888/lab?token={TOKEN}\n{MARK}resuming operation...\n"
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889), again)) == OTHER


def test_banner_printed_again_with_another_host_does_not_make_a_server_newer():
    again = f"{HEADING}{MARK}http://5f0c4d1e2a3b:8888/lab?token={TOKEN}\n"
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889), again)) == OTHER


def test_banner_of_a_server_with_a_password_printed_again_is_the_same_server():
    log = read(banner(""), banner("", 8889), banner(""), f"{MARK}received signal 15, stopping\n")
    assert log.newest.url.port == 8888


@pytest.mark.parametrize(
    "words",
    [
        "received signal 15, stopping",
        "接受信号 15, 正在停止",
        "Shutdown confirmed",
        "Shutting down...",
        "Shutting down on /api/shutdown request.",
        "No kernels for 3600 seconds; shutting down.",
        "No kernels or terminals for 3600 seconds; shutting down.",
        "Shutting down 1 extension",
        "Shutting down 6 extensions",
        "Shutting down 0 kernels",
        "Shutting down 0 terminals",
    ],
)
def test_each_way_to_end_is_understood(words):
    assert found(read(banner(), f"{MARK}{words}\n")) is None
    assert found(read(banner(TOKEN, 8888), banner(OTHER, 8889), f"{MARK}{words}\n")) == TOKEN
    assert found(read(banner(), f"{MARK}{words}\n", banner(OTHER))) == OTHER


@pytest.mark.parametrize(
    "words", ["Kernel shutdown: 17", "Use Control-C to stop this server", "Shutting down kernel 17", "stopping"]
)
def test_other_endings_are_not_the_servers(words):
    assert found(read(banner(), f"{MARK}{words}\n")) == TOKEN


def test_words_of_ending_printed_by_a_program_are_not_the_servers():
    assert found(read(banner(), "Shutting down...\nreceived signal 15, stopping\n")) == TOKEN


def test_services_of_a_compose_project_are_kept_apart():
    lab = prefixed(b"lab-1   | ", banner(TOKEN).encode())
    docs = prefixed(b"docs-1  | ", banner(OTHER).encode())
    end = f"docs-1  | {MARK}received signal 15, stopping\n"
    assert found(read(lab, docs)) == OTHER
    log = read(lab, docs, end)
    assert found(log) == TOKEN
    assert log.newest.stream == "lab-1"


def test_service_that_writes_in_another_format_is_found_beside_one_that_does_not():
    lab = prefixed(b"lab-1   | ", banner(TOKEN).encode())
    plain = prefixed(b"docs-1  | ", banner(OTHER, mark="").encode())
    assert found(read(lab, plain)) == OTHER
    assert found(read(plain, lab)) == TOKEN


def test_lines_of_two_services_may_be_mixed():
    lab = prefixed(b"lab-1   | ", running("server2_lab_password")).splitlines(keepends=True)
    docs = prefixed(b"docs-1  | ", running("server2_lab_no_auth")).splitlines(keepends=True)
    mixed = b"".join(line for pair in itertools.zip_longest(lab, docs, fillvalue=b"") for line in pair)
    log = read(mixed, f"docs-1  | {MARK}received signal 15, stopping\n")
    assert log.newest.stream == "lab-1"
    assert log.newest.password_set
    assert read(mixed, f"lab-1   | {MARK}received signal 15, stopping\n").newest.authentication_off


# Pieces, size, garbage


@given(st.data())
def test_pieces_of_any_size_give_the_same_answer(data):
    names = data.draw(st.lists(st.sampled_from(sorted(RECORDED)), min_size=1, max_size=3))
    whole = b"".join(RECORDED[name] for name in names[:-1]) + running(names[-1])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=30)))
    pieces = [whole[start:end] for start, end in itertools.pairwise([0, *cuts, len(whole)])]
    in_pieces, at_once = read(*pieces), read(whole)
    assert answer(in_pieces.newest) == answer(at_once.newest)
    assert in_pieces.last_lines == at_once.last_lines
    assert in_pieces.tokens == at_once.tokens


@pytest.mark.parametrize("name", ["server2_lab_tty", "notebook5_zh", "notebook65"])
def test_single_bytes_give_the_same_answer(name):
    data = running(name)
    assert answer(read(*(data[at : at + 1] for at in range(len(data)))).newest) == answer(read(data).newest)


FRAGMENTS = st.sampled_from(
    [
        MARK.encode(),
        b"is running at:",
        b"http://",
        b"(a or b)",
        b"[::1]",
        b":8888",
        b":99999",
        b"/lab",
        b"?token=",
        b"%zz",
        b"...",
        b"\n",
        b"\r",
        b"\x1b[",
        b"\x1b]8;;",
        b"lab-1 | ",
        b"Gateway server running at:",
        b"copy and paste",
        b"received signal 15, stopping",
        b"Shutting down 1 kernel",
        b"All authentication is disabled",
    ]
)


@given(st.lists(st.one_of(st.binary(max_size=40), FRAGMENTS), max_size=60), st.lists(st.integers(0, 400), max_size=8))
def test_arbitrary_bytes_never_raise_and_pieces_never_matter(parts, cuts):
    whole = b"".join(parts)
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    in_pieces = read(*(whole[start:end] for start, end in itertools.pairwise(bounds)))
    at_once = read(whole)
    assert answer(in_pieces.newest) == answer(at_once.newest)
    assert answer(in_pieces.guess) == answer(at_once.guess)
    assert in_pieces.last_lines == at_once.last_lines


@given(st.binary())
def test_nothing_is_found_in_bytes_without_a_url(noise):
    log = read(noise.replace(b"://", b":/"))
    assert log.newest is None
    assert log.guess is None


def test_unfinished_line_does_not_count_yet():
    log = ServerLog()
    log.feed(f"{HEADING}{MARK}http://127.0.0.1:8888/lab?token={TOKEN[:10]}".encode())
    assert log.newest is None
    log.feed(f"{TOKEN[10:]}\n".encode())
    assert found(log) == TOKEN


def test_last_lines_are_kept_without_empty_ones():
    log = read("".join(f"line {number}\n\n \r\n" for number in range(50)))
    assert list(log.last_lines) == [f"line {number}".encode() for number in range(50 - LAST_LINES, 50)]


@pytest.mark.parametrize("around", [0, 50])
def test_banner_amid_other_lines_is_found_wherever_it_is_cut(around):
    whole = ("x\n" * around + banner() + "x\n" * around).encode()
    middle = whole.index(b"://")
    for cut in range(middle - 100, middle + 10):
        assert found(read(whole[: max(cut, 0)], whole[max(cut, 0) :])) == TOKEN
    assert found(read(whole)) == TOKEN


def test_last_lines_around_a_url_are_kept_without_empty_ones():
    log = read("http://a\n\n" + "line\n \n\r" * 3)
    assert list(log.last_lines) == [b"http://a", b"line", b"line", b"line"]


def test_line_is_cut_wherever_it_is_in_a_piece():
    long = b"://" + b"x" * (3 * MAX_LINE)
    for pieces in ([b"\n" + long, b"more\n"], [b"\n" + long + b"\nend\n"], [long[:9], long[9:], b"\n"]):
        assert len(read(*pieces).last_lines[0]) == MAX_LINE


def test_line_without_an_end_takes_flat_memory():
    log = ServerLog()
    tracemalloc.start()
    try:
        for _ in range(400):
            log.feed(b"x" * MAX_LINE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_rest_of_a_large_piece_takes_flat_memory():
    log = ServerLog()
    tracemalloc.start()
    try:
        log.feed(b"\n" + b"x" * 5_000_000)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_very_long_line_is_cut_and_the_next_one_read():
    log = read(b"x" * (3 * MAX_LINE), f"\n{banner()}")
    assert found(log) == TOKEN
    assert len(log.last_lines[0]) == MAX_LINE
    assert len(read(f"http://{'x' * (3 * MAX_LINE)}\nend\n").last_lines[0]) == MAX_LINE


def test_hundred_megabytes_take_flat_memory():
    request = b"[I 2026-11-22 13:57:12.590 ServerApp] 200 GET /api/contents/a.ipynb (ann@192.0.2.7) 12.34ms\n"
    piece = request * (MAX_LINE // len(request))
    log = ServerLog()
    log.feed(banner().encode())
    tracemalloc.start()
    try:
        for _ in range(100_000_000 // len(piece)):
            log.feed(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found(log) == TOKEN
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "line",
    [
        "service-{0}  | http://127.0.0.1:8888/lab?token=t{0}\n",
        MARK + "http://127.0.0.1:{1}/lab?token=t{0}\n",
        MARK + "http://host{0}:8888/lab?token=t\n",
        "http://127.0.0.1:8888/{0}?token=t{0}\n",
    ],
)
def test_log_full_of_urls_takes_flat_memory(line):
    log = ServerLog()
    lines = [line.format(number, number % 60000 + 1).encode() for number in range(3000)]
    log.feed(b"".join(lines))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for each in range(3000, 6000):
            log.feed(line.format(each, each % 60000 + 1).encode())
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


def test_more_services_than_can_be_kept_apart_are_read_as_one():
    names = jupyter_server_log._MAX_STREAMS + 10
    log = read(
        "".join(f"s{number} | {MARK}http://127.0.0.1:{number + 1}/?token=t{number}\n" for number in range(names))
    )
    assert found(log) == f"t{names - 1}"
