# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import threading
import time

import pytest
from jupyter_stand_in import DAY, NOW, TOKEN, Holder
from loopback import free_port

from ansible_collections.desi.lab.plugins.module_utils._jupyter import probe
from ansible_collections.desi.lab.plugins.modules import jupyter_probe


@pytest.fixture
def holder(tmp_path):
    return lambda name, **settings: Holder(tmp_path, name, **settings)


@pytest.fixture
def ask(call, monkeypatch):
    monkeypatch.setattr(probe, "PAUSE", 0.05)

    def run(url, **arguments):
        code, result = call(jupyter_probe, **{"url": url, "timeout": 10, **arguments})
        if url and "invocation" in result:
            assert result["invocation"]["module_args"]["url"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
        assert TOKEN not in json.dumps(result)
        return code, result

    return run


def at(server, path=f"/lab?token={TOKEN}", scheme="http", host="127.0.0.1"):
    return f"{scheme}://{host}:{server.port}{path}"


def test_server_that_takes_the_token_is_the_right_one(ask, jupyter):
    server = jupyter()
    code, result = ask(at(server))
    assert (code, result["changed"], result["answered"]) == (0, False, True)
    assert (result["fingerprint"], result["version"]) == ("", "2.17.0")
    assert result["elapsed"] < 10
    assert [path for path, _headers in server.asked] == ["/api/status", "/api"]
    assert server.asked[0][1]["Authorization"] == f"token {TOKEN}"
    assert "Authorization" not in server.asked[1][1]


def test_server_is_asked_below_its_base_url_with_its_token_decoded(ask, jupyter):
    server = jupyter(base="/user/ann", token=f"{TOKEN} /?&")
    assert ask(at(server, f"/user/ann/lab?a=1&token={TOKEN}+%2F%3F%26"))[0] == 0
    assert server.asked[0][0] == "/user/ann/api/status"


@pytest.mark.parametrize("path", ["/lab?token=", "", f"/lab?nottoken={TOKEN}"])
def test_server_without_a_token_is_asked_for_a_sign_of_life(ask, jupyter, path):
    server = jupyter()
    code, result = ask(f"http://127.0.0.1:{server.port}{path}")
    assert (code, result["version"]) == (0, "2.17.0")
    assert [path for path, _headers in server.asked] == ["/api"]


@pytest.mark.parametrize("status", [401, 403])
def test_server_that_refuses_the_token_is_not_asked_again(ask, jupyter, status):
    server = jupyter(answers={"/api/status": (status, {"message": TOKEN}, {})})
    code, result = ask(at(server), timeout=60)
    assert (code, result["what"]) == (1, f"The server at 127.0.0.1:{server.port} refuses the token.")
    assert len(server.asked) == 1


def test_server_that_starts_late_or_behind_a_proxy_is_waited_for(ask, jupyter):
    port = free_port()
    late = threading.Timer(0.3, lambda: jupyter(port=port))
    late.start()
    code, result = ask(f"http://127.0.0.1:{port}/lab?token={TOKEN}")
    late.join()
    assert (code, result["elapsed"] >= 0.2) == (0, True)
    bad = [(502, b"Bad Gateway", {}), (503, b"", {})]
    server = jupyter(answers={"/api/status": lambda: bad.pop() if bad else None})
    assert (ask(at(server))[0], len(server.asked)) == (0, 4)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (lambda connection: connection.sendall(b"SSH-2.0-x\r\n"), "closed without an answer"),
        (lambda connection: None, "nothing came back in time"),
    ],
)
def test_what_does_not_answer_is_told_when_the_time_is_over(ask, listener, serve, why):
    begun = time.monotonic()
    code, result = ask(f"http://127.0.0.1:{listener(serve).port}/lab?token={TOKEN}", timeout=1)
    assert code == 1
    assert "did not answer within 1 seconds" in result["what"]
    assert why in result["why"]
    assert time.monotonic() - begun < 8


def test_place_where_there_is_nothing_is_told_when_the_time_is_over(ask):
    for place, why in (("127.0.0.1:1", "nothing listened there"), ("no_such_host.invalid", "could not be looked up")):
        code, result = ask(f"http://{place}/lab", timeout=0.3)
        assert (code, why in result["why"]) == (1, True)


def test_server_that_keeps_answering_with_errors_is_told(ask, jupyter):
    code, result = ask(at(jupyter(answers={"/api/status": (500, {}, {})})), timeout=0.3)
    assert (code, "the error 500" in result["why"]) == (1, True)


def test_redirect_is_not_followed_and_not_told_whole(ask, jupyter):
    thief = jupyter()
    server = jupyter(answers={"/api/status": (307, b"", {"Location": at(thief, host="127.0.0.2")})})
    code, result = ask(at(server), timeout=60)
    assert (code, "http://127.0.0.2." in result["why"]) == (1, True)
    assert thief.asked == []


@pytest.mark.parametrize("question", ["/api", "/api/status"])
def test_program_that_is_no_jupyter_is_not_waited_for(ask, jupyter, question):
    answers = [(200, body, {}) for body in (b"<html>", b"[]", b"\xff", b"x" * 1_000_000)] + [(404, {}, {})]
    answers += [(200, {}, {}), (200, {"version": 2}, {})] if question == "/api" else []
    for answer in answers:
        server = jupyter(answers={question: answer})
        code, result = ask(at(server), timeout=60)
        assert (code, result["what"]) == (1, f"The server at 127.0.0.1:{server.port} is not the lab."), answer


def test_proxy_of_the_environment_does_not_get_the_token(ask, jupyter, monkeypatch):
    proxy, server = jupyter(), jupyter()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert ask(at(server))[0] == 0
    assert proxy.asked == []


# TLS


def test_server_with_the_pinned_certificate_is_trusted_at_any_address(ask, jupyter, holder):
    ours = holder("ours", names=())
    server = jupyter(holder=ours)
    code, result = ask(at(server, scheme="https"), certificate=str(ours.certificate))
    assert (code, result["fingerprint"], result["version"]) == (0, ours.fingerprint, "2.17.0")


def test_server_is_asked_at_another_address_by_the_name_in_its_url(ask, jupyter, holder):
    ours = holder("ours")
    server = jupyter(holder=ours)
    code, _result = ask(
        f"https://lab.example.org:{server.port}/lab?token={TOKEN}",
        certificate=str(ours.certificate),
        address="127.0.0.1",
    )
    assert code == 0
    assert server.names == ["lab.example.org"]
    assert {headers["Host"] for _path, headers in server.asked} == {f"lab.example.org:{server.port}"}


def test_usual_port_is_not_named_in_the_request():
    for url, port in (("https://lab.example.org/lab", 443), ("http://lab.example.org/lab", 80)):
        connection = probe._Connection(probe.prepare(url), 1)
        assert (connection.port, connection.default_port) == (port, port)


@pytest.mark.parametrize("kind", ["signed by ours", "another with ours behind"])
def test_man_in_the_middle_never_gets_the_token(ask, jupyter, holder, kind):
    ours = holder("ours")
    thief = holder("theirs", signer=ours if kind == "signed by ours" else None)
    if kind == "another with ours behind":
        thief.chain.write_bytes(thief.chain.read_bytes() + ours.certificate.read_bytes())
    server = jupyter(holder=thief)
    begun = time.monotonic()
    code, result = ask(at(server, scheme="https"), certificate=str(ours.certificate), timeout=60)
    assert code == 1
    assert time.monotonic() - begun < 20
    assert result["what"] == f"The server at 127.0.0.1:{server.port} is not the lab."
    assert "The token was not sent." in result["why"]
    assert server.asked == []


def test_middleman_who_comes_after_the_first_answer_is_told_from_the_server(ask, jupyter, holder, monkeypatch):
    ours = holder("ours")
    thief = jupyter(holder=holder("theirs", signer=ours))
    server = jupyter(holder=ours, answers={"/api/status": (200, {}, {"Connection": "close"})})
    question = probe.prepare(at(server, scheme="https"), str(ours.certificate))
    real = probe.socket.create_connection
    ports = iter([server.port, thief.port])
    monkeypatch.setattr(probe.socket, "create_connection", lambda _at, **rest: real(("127.0.0.1", next(ports)), **rest))
    with pytest.raises(probe.LabError, match="not sent"):
        probe.ask(question, 5)
    assert thief.asked == []


def test_only_the_first_certificate_of_a_file_is_pinned_whoever_signed_it(ask, jupyter, holder):
    ours, theirs = holder("ours", signer=holder("authority")), holder("theirs")
    both = ours.certificate.parent / "both.pem"
    both.write_bytes(ours.certificate.read_bytes() + theirs.certificate.read_bytes())
    assert ask(at(jupyter(holder=ours), scheme="https"), certificate=str(both))[0] == 0
    thief = jupyter(holder=theirs)
    assert ask(at(thief, scheme="https"), certificate=str(both))[0] == 1
    assert thief.asked == []


def test_pinned_certificate_that_is_out_of_time_is_told_as_such(ask, jupyter, holder):
    for begins, ends, word in ((NOW - 2 * DAY, NOW - DAY, "expired"), (NOW + DAY, NOW + 2 * DAY, "not yet valid")):
        ours = holder("ours", begins=begins, ends=ends)
        server = jupyter(holder=ours)
        code, result = ask(at(server, scheme="https"), certificate=str(ours.certificate))
        assert (code, word in result["why"], server.asked) == (1, True, [])


def test_server_that_speaks_no_tls_is_told_and_gets_no_token(ask, jupyter, holder):
    server = jupyter()
    code, result = ask(at(server, scheme="https"), certificate=str(holder("ours").certificate), timeout=0.5)
    assert code == 1
    assert "spoke no TLS" in result["why"]
    assert server.tokens() == []


def test_certificate_of_an_authority_is_validated_with_the_name_or_the_address(ask, jupyter, holder, monkeypatch):
    authority = holder("authority")
    server = jupyter(holder=holder("theirs", signer=authority))
    there = {"address": "127.0.0.1", "ca": str(authority.certificate), "timeout": 60}
    code, result = ask(at(server, scheme="https", host="lab.example.org"), **there)
    assert (code, len(server.tokens()), len(result["fingerprint"])) == (0, 1, 95)
    assert ask(at(server, scheme="https", host="127.0.0.9"), **there)[0] == 0
    for wrong in ("other.example.org", "127.0.0.8"):
        code, result = ask(at(server, scheme="https", host=wrong), **there)
        assert (code, f"is not proven to be {wrong}" in result["what"]) == (1, True)
    # Without a file, those that this computer trusts.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    assert ask(at(server, scheme="https", host="lab.example.org"), address="127.0.0.1")[0] == 0
    assert len(server.tokens()) == 3


def test_certificate_of_an_authority_that_is_not_trusted_is_refused_at_once(ask, jupyter, holder):
    server = jupyter(holder=holder("theirs", signer=holder("authority")))
    code, result = ask(at(server, scheme="https", host="lab.example.org"), address="127.0.0.1", timeout=60)
    assert (code, "The token was not sent." in result["why"], server.asked) == (1, True, [])


# What cannot work


def test_what_is_no_url_of_a_server_is_refused_and_not_repeated(ask):
    wrong = [
        "",
        "ftp://127.0.0.1/lab",
        "http:///lab",
        "http://127.0.0.1:99999/lab",
        "http://[::1/lab",
        "http://a..b/lab",
    ]
    wrong += ["http://127.0.0.1/läb", *(f"http://127.0.0.1/lab?token={TOKEN}{end}" for end in ("%0d%0aX:1", "%e4"))]
    for url in wrong:
        code, result = ask(url, timeout=60)
        assert (code, result["what"]) == (1, "The server cannot be asked."), url


@pytest.mark.parametrize("option", ["certificate", "ca"])
def test_certificate_that_cannot_be_read_is_told(ask, tmp_path, option):
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    for number, content in enumerate((None, "", "rubbish", broken)):
        path = tmp_path / f"{number}.pem"
        if content is not None:
            path.write_text(content)
        code, result = ask(f"https://127.0.0.1:1/lab?token={TOKEN}", timeout=60, **{option: str(path)})
        assert (code, str(path) in result["what"]) == (1, True)


def test_pin_is_refused_where_there_is_no_tls(ask, jupyter, holder):
    server = jupyter()
    ours = str(holder("ours").certificate)
    for option in ("certificate", "ca"):
        assert ask(at(server), timeout=60, **{option: ours})[0] == 1
    assert ask(f"https://127.0.0.1:{server.port}/lab", certificate=ours, ca=ours, timeout=60)[0] == 1
    assert server.asked == []


def test_check_mode_asks_nothing_and_needs_nothing(ask, jupyter, tmp_path):
    server = jupyter()
    code, result = ask(at(server, scheme="https"), certificate=str(tmp_path / "none"), _ansible_check_mode=True)
    assert (code, result["changed"], result["answered"]) == (0, False, False)
    assert server.asked == []
