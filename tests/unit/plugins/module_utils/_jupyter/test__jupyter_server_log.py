# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import json
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
STOPPED = re.compile(
    rb"^[^\n]*(?:received signal|" + "接受信号".encode() + rb"|\] interrupted).*",
    re.DOTALL | re.MULTILINE,
)
MARK = "[I 2026-11-22 13:57:12.790 ServerApp] "
HEADING = f"{MARK}Jupyter Server 2.21.1 is running at:\n"
END = f"{MARK}received signal 15, stopping\n"
OPEN = f"{MARK}All authentication is disabled.\n"


def read(*pieces: str | bytes) -> ServerLog:
    log = ServerLog()
    for piece in pieces:
        log.feed(piece.encode() if isinstance(piece, str) else piece)
    log.finish()
    return log


def running(name: str) -> bytes:
    """What the server had printed before it was stopped."""
    return STOPPED.sub(b"", RECORDED[name])


def url(token: str = TOKEN, port: int = 8888, mark: str = MARK) -> str:
    return f"{mark}http://127.0.0.1:{port}/lab{f'?token={token}' if token else ''}\n"


def banner(token: str = TOKEN, port: int = 8888, mark: str = MARK) -> str:
    return f"{mark}Jupyter Server 2.21.1 is running at:\n{url(token, port, mark)}{mark}Use Control-C\n"


def prefixed(prefix: str | bytes, data: str | bytes) -> bytes:
    prefix, data = (each.encode() if isinstance(each, str) else each for each in (prefix, data))
    return b"".join(prefix + line for line in data.splitlines(keepends=True))


def answer(server: Server | None) -> tuple | None:
    if server is None:
        return None
    kind = (server.plain_token, server.token_hidden, server.password_set, server.authentication_off)
    return (*kind, server.stream, tuple(server.urls))


def found(log: ServerLog) -> str | None:
    """The token of the newest server, or how else it lets people in."""
    if log.newest is None:
        return None
    return (
        "open" if log.newest.authentication_off else "password" if log.newest.password_set else log.newest.plain_token
    )


GUEST, LOCAL, ANY = "5f0c4d1e2a3b", "127.0.0.1", "0.0.0.0"  # noqa: S104 - data
EXPECTED = {
    ("http", "/", ("localhost",)): "notebook5 notebook5_no_auth notebook5_password notebook5_zh",
    ("http", "/", (GUEST, LOCAL)): "notebook5_any_ip notebook5_interrupted notebook65",
    ("http", "/", (GUEST,)): "notebook65_no_auth notebook65_password",
    ("http", "/", ("localhost", LOCAL)): "notebook65_zh",
    ("http", "/lab", ("localhost", LOCAL)): "server1_lab server2_lab",
    ("http", "/lab", (ANY, LOCAL, GUEST)): "server2_lab_any_ip server2_lab_gateway server2_lab_interrupted"
    " server2_lab_password server2_lab_tty",
    ("http", "/lab", (ANY, LOCAL)): "server2_lab_env_token server2_lab_no_auth",
    ("http", "/lab", ("[::]", "[::1]", GUEST)): "server2_lab_v6_any",
    ("http", "/tree", (ANY, LOCAL, GUEST)): "server2_notebook7",
}
ROWS = [(name, *seen) for seen, names in EXPECTED.items() for name in names.split()]


@pytest.mark.parametrize(("name", "scheme", "path", "hosts"), ROWS)
def test_recorded_server_is_found_while_it_runs_and_not_once_it_was_stopped(name, scheme, path, hosts):
    server = read(running(name)).newest
    assert (server.url.scheme, server.url.port, server.url.path) == (scheme, 8888, path)
    assert tuple(host for url in server.urls for host in url.hosts) == hosts
    assert server.token_hidden is name.endswith("_env_token")
    assert server.password_set is name.endswith("_password")
    assert server.authentication_off is name.endswith("_no_auth")
    unknown = server.token_hidden or server.password_set or server.authentication_off
    assert server.plain_token == ("" if unknown else TOKEN)
    stopped = read(RECORDED[name])
    assert (stopped.newest, stopped.had_server) == (None, True)


@pytest.mark.parametrize("name", RECORDED)
def test_server_started_after_another_was_stopped_or_killed_is_found_alone(name):
    again = RECORDED["server2_lab_any_ip"].replace(TOKEN.encode(), OTHER.encode())
    for first in (RECORDED[name], running(name)):
        assert found(read(first, STOPPED.sub(b"", again))) == OTHER
        assert found(read(first, again)) is None
    mine = running(name)
    expected = found(read(mine.replace(TOKEN.encode(), OTHER.encode())))
    assert found(read(RECORDED["notebook5_any_ip"], mine.replace(TOKEN.encode(), OTHER.encode()))) == expected


@pytest.mark.parametrize("name", ["server2_lab_tty", "notebook5_zh", "notebook65", "server2_lab_gateway"])
def test_prefixes_of_other_tools_and_line_ends_do_not_matter(name):
    expected = read(running(name)).newest
    for prefix in (
        "lab-1  | ",
        "desi_lab_1 | ",
        "\x1b[36mlab-1  | \x1b[0m",
        "2026-11-22T13:57:12.790123456Z ",
        "2026-11-22 13:57:12,790 ",
        "2026-11-22T13:57:12+01:00 ",
        "lab-1  | 2026-11-22T13:57:12.790123456Z ",
        "Nov  2 13:57:12 host docker[123]: ",
    ):
        server = read(prefixed(prefix, running(name))).newest
        assert (answer(server)[:4], server.urls) == (answer(expected)[:4], expected.urls)
        assert read(prefixed(prefix, RECORDED[name])).newest is None
    data = running(name).replace(b"\r\n", b"\n")
    for end in (b"\r\n", b"\r", b"\n"):
        assert answer(read(data.replace(b"\n", end)).newest) == answer(expected)


@pytest.mark.parametrize(
    "colors",
    ["\x1b[32m", "\x1b[38;5;46;1m", "\x1b(B\x1b[m", "\x1b]8;;http://example.org\x07", "\x1b]0;lab\x1b\\", "\x1b7"],
)
def test_escapes_do_not_matter(colors):
    assert found(read(f"{colors}{MARK}{colors}http://127.0.0.1:8888/lab?{colors}token={TOKEN}{colors}\n")) == TOKEN


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


LINE = f"http://127.0.0.1:8888/lab?token={TOKEN}"
SEVERAL = f"\n    To access the server, open this file:\n file:///x\n    Or copy and paste one of these URLs:\n  {LINE}"


@pytest.mark.parametrize(
    "line",
    [
        f"[I ServerApp] {LINE}",
        f"[I] [ServerApp] {LINE}",
        f"INFO:ServerApp:{LINE}",
        f"INFO:jupyter_server.serverapp:{LINE}",
        f"2026-11-22 13:57:12,790 - ServerApp - INFO - {LINE}",
        f"lab: (LabApp) {LINE}",
        f"Jupyter Server 2.1 is running at {LINE}",
        f"2026-11-22T13:57:12.79Z stdout F {MARK}{LINE}",
        json.dumps({"log": f"{MARK}{LINE}\n", "stream": "stderr"}),
        json.dumps({"logger": "ServerApp", "any": LINE}),
        json.dumps({"level": "info", "data": {"texts": [1, None, SEVERAL]}}),
    ],
)
def test_any_log_format_that_names_the_server_is_read(line):
    log = read(f"{line}\n")
    assert found(log) == TOKEN
    assert found(read(f"{line}\n", f"{MARK}x\n" * 9, f"http://127.0.0.1:8888/lab?token={OTHER}\n")) == TOKEN


@pytest.mark.parametrize(
    "line",
    [
        f"[I] {LINE}",
        f"INFO {LINE}",
        f"lab> {LINE}",
        f"lab-1 stdout | {LINE}",
        f"2026-11-22 13:57:12.790 | INFO     | jupyter:info:123 - {LINE}",
        f"I1122 13:57:12.790 123 serverapp.py:2950] {LINE}",
        f"[13:57:12] INFO     {LINE}       serverapp.py:2950",
        f"\x1b[32mINFO\x1b[0m \x1b[1m{LINE}\x1b[0m",
        f'time="2026-11-22" level=info msg="{LINE}" pid=7',
        f"*** {LINE} ***",
        f'"{LINE}"',
        json.dumps({"any": LINE}).replace("/", "\\/"),
        f"lab {json.dumps({'a': {'b': [LINE]}})}",
    ],
)
def test_url_with_a_token_is_believed_last_behind_any_other_prefix(line):
    log = read(f"{line}\n")
    assert (log.newest, log.guess.plain_token) == (None, TOKEN)


@pytest.mark.parametrize(
    "line",
    [
        f"see {LINE}",
        f"GET {LINE}",
        f"200 {LINE}",
        f"{LINE} 200",
        f"Referer: {LINE}",
        f"status=302 url={LINE}",
        f"[I ServerApp] 302 GET /?token={TOKEN} (@192.0.2.7) {LINE}",
        f"[I ServerApp] Location: {LINE}",
        f'192.0.2.7 - - [22/Nov/2026:13:57:12 +0000] "GET /?token={TOKEN} HTTP/1.1" 200 12 "{LINE}" "Mozilla/5.0"',
        f'192.0.2.7 - - "-" 400 0 "{LINE}"  referrer',
        json.dumps({"method": "GET", "url": LINE}),
        json.dumps({"status": 200, "seen": LINE}),
        json.dumps({"a": {"headers": {"Referer": [LINE]}}}),
        json.dumps({"line": f"GET /lab {LINE}"}),
    ],
)
def test_request_line_is_never_believed(line):
    log = read(f"{line}\n")
    assert (log.newest, log.guess) == (None, None)


@pytest.mark.parametrize(("printed", "token"), [("a%2Fb%26c%3Dd%25", "a/b&c=d%"), ("a+b", "a b"), ("....", "....")])
def test_tokens_of_any_form_are_read(printed, token):
    log = read(banner(printed))
    assert (found(log), log.tokens, log.newest.token_hidden) == (token, {printed, token}, False)


def test_given_token_is_filled_in_everywhere():
    server = read(running("server2_lab_env_token")).newest
    server.give_token("made-up%21")
    assert (server.plain_token, server.token_hidden) == (unquote("made-up%21"), False)
    assert {url.token for url in server.urls} == {"made-up%21"}


GATEWAY = f"{MARK}Kernels will be managed by the Gateway server running at:\n"
NOISE = b"\xff\xfe\x00\xc3( caf\xe9\n"
TWO = banner(TOKEN, 8888) + banner(OTHER, 8889)
EXTENSIONS = f"{MARK}Shutting down 6 extensions\n"
LATER_END = f"{END}{EXTENSIONS}{MARK}Shutting down 0 kernels\n"
LAB, DOCS = prefixed("lab-1   | ", banner()), prefixed("docs-1  | ", banner(OTHER))
CASES = {
    # How people are let in
    "password": ([banner("")], "password"),
    "no authentication, jupyter_server": ([OPEN, banner("")], "open"),
    "no authentication, notebook": ([f"{MARK}WARNING: … and not using authentication.\n", banner("")], "open"),
    "the warning of an earlier server": ([OPEN, banner(""), banner()], TOKEN),
    "the warning of an earlier server without a token": ([OPEN, banner(""), banner("", 8889)], "password"),
    "a warning, and a token all the same": ([OPEN, banner()], TOKEN),
    "the warning of a program": (["All authentication is disabled.\n", banner("")], "password"),
    # What a banner is
    "bytes that are not UTF-8": ([NOISE, banner(), NOISE], TOKEN),
    "bytes that are not UTF-8 in a banner": ([HEADING, NOISE, url()], TOKEN),
    "request lines": ([f"{MARK}302 GET /?token={OTHER} (@192.0.2.7) 0.50ms\n"], None),
    "request lines later": (
        [banner(), f"[W ServerApp] 404 GET /x referer=http://evil.example.org/?token={OTHER}\n"],
        TOKEN,
    ),
    "no heading, no token": ([url("")], None),
    "heading": ([HEADING, url("")], "password"),
    "heading in Chinese": ([f"{MARK}Jupyter Notebook运行在:\n", url("")], "password"),
    "empty lines after the heading": ([HEADING, f"{MARK}\n" * 9, url("")], "password"),
    "a heading whose URL does not come": ([HEADING, f"{MARK}a\n" * 3, url("")], None),
    "gateway": ([GATEWAY, f"{MARK}http://gw.example.org:1/?token={OTHER}\n"], None),
    "gateway after the server": ([banner(), GATEWAY, f"{MARK}http://gw.example.org:1/?token={OTHER}\n"], TOKEN),
    "gateway before the server": ([GATEWAY, f"{MARK}http://gw.example.org:1/\n", banner()], TOKEN),
    "gateway without a URL": ([GATEWAY, banner()], TOKEN),
    "gateway on one line": ([f"{GATEWAY[:-1]} http://gw.example.org:1/\n", url()], TOKEN),
    # Several servers
    "the last one wins": ([TWO], OTHER),
    "two ends of two servers": (
        [banner(), END, banner(OTHER), f"{MARK}Shutting down on /api/shutdown request.\n"],
        None,
    ),
    "an end said twice is of two servers": ([TWO, END, EXTENSIONS * 2], None),
    "two mixed ends": ([TWO, END * 2, EXTENSIONS * 2], None),
    "an end before the URL": ([HEADING, END, url("")], None),
    "the same token again, unknown heading": ([url(), END, url()], TOKEN),
    "the later one has ended": ([TWO, LATER_END], TOKEN),
    "both have ended": ([TWO, LATER_END, LATER_END], None),
    "a banner again": ([TWO, f"{MARK}interrupted\n{HEADING}", url(), f"{MARK}resuming operation...\n"], OTHER),
    "a banner again with another host": ([TWO, HEADING, f"{MARK}http://5f0c4d1e2a3b:8888/lab?token={TOKEN}\n"], OTHER),
    "ending words of a program": ([banner(), "Shutting down...\nreceived signal 15, stopping\n"], TOKEN),
    # Services of a Compose project
    "two services": ([LAB, DOCS], OTHER),
    "the other service has ended": ([LAB, DOCS, f"docs-1  | {END}"], TOKEN),
    "a service in another format": ([LAB, prefixed("docs-1  | ", banner(OTHER, mark=""))], OTHER),
    "a service in another format first": ([prefixed("docs-1  | ", banner(OTHER, mark="")), LAB], TOKEN),
    "more services than are kept apart": (
        [f"s{n} | {url(f't{n}', n + 1)}" for n in range(jupyter_server_log._MAX_STREAMS + 10)],
        f"t{jupyter_server_log._MAX_STREAMS + 9}",
    ),
    # Long lines
    "a very long line before": ([b"x" * (3 * MAX_LINE), f"\n{banner()}"], TOKEN),
}


@pytest.mark.parametrize(("pieces", "token"), CASES.values(), ids=CASES)
def test_server_that_runs_is_told_from_all_else(pieces, token):
    assert found(read(*pieces)) == token


@pytest.mark.parametrize("mark", [MARK, ""])
def test_lines_after_a_banner_are_not_a_part_of_it(mark):
    log = read(f"{mark}Jupyter Server is running at:\n", url(mark=mark), url(OTHER, mark=""))
    assert (found(log), len(log.newest.urls)) == (TOKEN, 1)
    log = read(banner(""), f"{MARK}http://127.0.0.1:8787/status\n")
    assert [url.port for url in log.newest.urls] == [8888]


def test_banner_of_a_server_with_a_password_printed_again_is_the_same_server():
    assert read(banner(""), banner("", 8889), banner(""), END).newest.url.port == 8888


@pytest.mark.parametrize("name", ["server2_lab", "notebook65", "notebook5_zh", "server2_lab_gateway"])
def test_what_a_program_prints_never_wins_over_the_server(name):
    evil = f"http://evil.example.org:9/lab?token={OTHER}"
    expected = answer(read(running(name)).newest)
    for printed in (
        evil,
        f"see {evil} for more",
        f"The Jupyter Notebook is running at: {evil}",
        f"The Jupyter Notebook is running at:\n{evil}",
        f"copy and paste one of these URLs:\n{evil}",
        f"token={OTHER}",
        f"Shutting down...\n{evil}",
        f"Gateway server running at:\n{evil}",
    ):
        text = printed.encode() + b"\n"
        assert answer(read(running(name), text, text).newest) == expected, printed
        assert found(read(text, running(name))) == TOKEN, printed


def test_url_that_stands_alone_is_no_more_than_a_guess():
    log = read(f"http://127.0.0.1:8888/lab?token={OTHER}\n")
    assert (log.newest, log.had_server, log.guess.plain_token) == (None, False, OTHER)
    for text in ("http://127.0.0.1:8888/lab", f"see http://127.0.0.1/?token={TOKEN}", f"ftp://h/?token={TOKEN}"):
        assert read(text).guess is None


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
        "Shutting down 0 kernels",
        "Shutting down 0 terminals",
    ],
)
def test_each_way_to_end_is_understood(words):
    assert found(read(banner(), f"{MARK}{words}\n")) is None
    assert found(read(TWO, f"{MARK}{words}\n")) == TOKEN
    assert found(read(banner(), f"{MARK}{words}\n", banner(OTHER))) == OTHER


@pytest.mark.parametrize("words", ["Kernel shutdown: 17", "Use Control-C", "Shutting down kernel 17", "stopping"])
def test_other_endings_are_not_the_servers(words):
    assert found(read(banner(), f"{MARK}{words}\n")) == TOKEN


def test_lines_of_two_services_may_be_mixed():
    lab = prefixed("lab-1   | ", running("server2_lab_password")).splitlines(keepends=True)
    docs = prefixed("docs-1  | ", running("server2_lab_no_auth")).splitlines(keepends=True)
    mixed = b"".join(line for pair in itertools.zip_longest(lab, docs, fillvalue=b"") for line in pair)
    log = read(mixed, f"docs-1  | {END}")
    assert (found(log), log.newest.stream) == ("password", "lab-1")
    assert found(read(mixed, f"lab-1   | {END}")) == "open"


# Pieces, size, garbage


FRAGMENTS = [b"is running at:", b"http://", b"(a or b)", b"[::1]", b":8888", b":99999", b"/lab", b"?token=", b"%zz"]
FRAGMENTS += [b"...", b"\n", b"\r", b"\x1b[", b"\x1b]8;;", b"lab-1 | ", b"Gateway server running at:"]
FRAGMENTS += [MARK.encode(), b"copy and paste", b"received signal 15, stopping", b"All authentication is disabled"]


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(FRAGMENTS)), max_size=60),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_arbitrary_bytes_never_raise_and_pieces_never_matter(parts, cuts):
    whole = b"".join(parts)
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    in_pieces, at_once = read(*(whole[start:end] for start, end in itertools.pairwise(bounds))), read(whole)
    assert answer(in_pieces.newest) == answer(at_once.newest)
    assert answer(in_pieces.guess) == answer(at_once.guess)
    assert in_pieces.last_lines == at_once.last_lines


def test_unfinished_line_does_not_count_yet():
    log = ServerLog()
    log.feed(f"{HEADING}{MARK}http://127.0.0.1:8888/lab?token={TOKEN[:10]}".encode())
    assert log.newest is None
    log.feed(f"{TOKEN[10:]}\n".encode())
    assert found(log) == TOKEN


def test_last_lines_are_kept_without_empty_ones_and_cut():
    log = read("".join(f"line {number}\n\n \r\n" for number in range(50)))
    assert list(log.last_lines) == [f"line {number}".encode() for number in range(50 - LAST_LINES, 50)]
    assert list(read("http://a\n\n" + "line\n \n\r" * 3).last_lines) == [b"http://a", b"line", b"line", b"line"]
    long = b"://" + b"x" * (3 * MAX_LINE)
    for pieces in ([b"\n" + long, b"more\n"], [b"\n" + long + b"\nend\n"], [long[:9], long[9:], b"\n"], [long, b"\n"]):
        assert len(read(*pieces).last_lines[0]) == MAX_LINE


REQUEST = b"[I 2026-11-22 13:57:12.590 ServerApp] 200 GET /api/contents/a.ipynb (ann@192.0.2.7) 12.34ms\n"
MEGABYTES = {
    "a line without an end": [b"x" * MAX_LINE] * 400,
    "the rest of a large piece": [b"\n" + b"x" * 5_000_000],
    "many megabytes of requests": itertools.repeat(REQUEST * (MAX_LINE // len(REQUEST)), 400),
}


def grown(log, pieces, measure=0):
    """How much memory is kept (0) or was taken at the most (1) while the log read the pieces."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for piece in pieces:
            log.feed(piece)
        return tracemalloc.get_traced_memory()[measure] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("pieces", "measure"), list(zip(MEGABYTES.values(), (1, 0, 1))), ids=MEGABYTES)
def test_large_logs_take_flat_memory(pieces, measure):
    log = ServerLog()
    log.feed(banner().encode())
    assert grown(log, pieces, measure) < 1_000_000
    assert found(log) == TOKEN


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
    lines = [line.format(number, number + 1).encode() for number in range(2400)]
    log = ServerLog()
    log.feed(b"".join(lines[:1200]))
    assert grown(log, lines[1200:]) < 100_000
