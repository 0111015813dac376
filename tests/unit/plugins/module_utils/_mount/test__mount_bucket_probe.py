# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import http.client
import socket
import ssl
import threading
import urllib.error

import pytest
from bucket_stand_in import bucket

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.network import Proxy
from ansible_collections.desi.lab.plugins.module_utils._mount.bucket_probe import (
    BucketAnswer,
    check_proxy,
    explain_answer,
    explain_exception,
    listing_url,
    probe_bucket,
    read_answer,
)
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec

PUBLIC = make_spec({"bucket": "desidata"})
FULL = b'<?xml version="1.0"?><ListBucketResult xmlns="x"><Contents><Key>a</Key></Contents></ListBucketResult>'
EMPTY = b'<ListBucketResult xmlns="x"><Name>lab</Name><KeyCount>0</KeyCount></ListBucketResult>'


def error(code, more=b""):
    return b"<Error><Code>" + code + b"</Code><Message>x</Message>" + more + b"</Error>"


@pytest.mark.parametrize(
    ("settings", "place", "prefix"),
    [
        ({"bucket": "desidata"}, "https://desidata.s3.us-west-2.amazonaws.com/", ""),
        ({"bucket": "a.b", "region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/a.b", ""),
        ({"bucket": "x1y", "region": "cn-north-1"}, "https://x1y.s3.cn-north-1.amazonaws.com.cn/", ""),
        (
            {"bucket": "lab", "endpoint": "http://h:1/s3/", "prefix": "edr/a b&c"},
            "http://h:1/s3/lab",
            "edr%2Fa+b%26c%2F",
        ),
    ],
)
def test_listing_is_asked_for_where_the_bucket_is(settings, place, prefix):
    assert listing_url(make_spec(settings)) == f"{place}?list-type=2&max-keys=1&prefix={prefix}"


PREFIXES = b"<ListBucketResult><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>"
MOVED = {"x-amz-bucket-region": "eu-west-1"}
WRONG_REGION = error(b"AuthorizationHeaderMalformed", b"<Region>eu-west-1</Region>")


@pytest.mark.parametrize(
    ("status", "headers", "body", "answer"),
    [
        (200, {}, FULL, BucketAnswer(200, is_listing=True, anything=True)),
        (200, {}, EMPTY, BucketAnswer(200, is_listing=True)),
        (200, {}, PREFIXES, BucketAnswer(200, is_listing=True, anything=True)),
        (404, {"content-type": "a/xml; x=y"}, error(b"NoKey"), BucketAnswer(404, code="NoKey", kind="a/xml")),
        (200, {"content-type": "a/b"}, b"<html>ListBucketResult <Code>x</Code>", BucketAnswer(200, kind="a/b")),
        (301, MOVED, error(b"PermanentRedirect"), BucketAnswer(301, code="PermanentRedirect", region="eu-west-1")),
        (400, {}, WRONG_REGION, BucketAnswer(400, code="AuthorizationHeaderMalformed", region="eu-west-1")),
    ],
)
def test_listing_is_told_from_errors_and_from_web_pages(status, headers, body, answer):
    assert read_answer(status, headers, body) == answer


@pytest.mark.parametrize(
    ("settings", "answer", "why"),
    [
        ({}, BucketAnswer(404, code="NoSuchBucket", region="r"), "no bucket of this name at Amazon (us-west-2)."),
        ({"endpoint": "http://h"}, BucketAnswer(404, code="NoSuchBucket"), "no bucket of this name at http://h."),
        ({}, BucketAnswer(301, code="x", region="eu-west-1"), "It is in the region eu-west-1, not in us-west-2."),
        ({}, BucketAnswer(403, code="AccessDenied", region="us-west-2"), "let the public list it (AccessDenied)"),
        ({}, BucketAnswer(403, code="InvalidAccessKeyId"), "refused the credentials (InvalidAccessKeyId)"),
        ({}, BucketAnswer(503, code="SlowDown"), "answered with the error SlowDown"),
        ({"endpoint": "https://m.org/desidata"}, BucketAnswer(404, code="NoSuchKey"), "in the endpoint https://m.org/"),
        ({}, BucketAnswer(301, code="PermanentRedirect"), "in another region than us-west-2"),
        ({}, BucketAnswer(200, kind="text/html"), "does not speak S3 (HTTP status 200, text/html)"),
        ({}, BucketAnswer(404), "does not speak S3 (HTTP status 404)"),
        ({"prefix": "EDR"}, BucketAnswer(200, is_listing=True), 'nothing under the prefix "EDR/"'),
    ],
)
def test_each_answer_has_its_reason(settings, answer, why):
    refusal = explain_answer(make_spec({"bucket": "desidata", **settings}), answer)
    assert why in refusal.why
    assert refusal.do


def test_bucket_that_answers_is_no_problem():
    for settings, answer in (
        ({}, BucketAnswer(200, is_listing=True, anything=True)),
        ({}, BucketAnswer(200, is_listing=True)),
        ({"prefix": "new", "read_only": False}, BucketAnswer(200, is_listing=True)),
        ({"anonymous": False}, BucketAnswer(403, code="AccessDenied", region="us-west-2")),
    ):
        assert explain_answer(make_spec({"bucket": "desidata", **settings}), answer) is None


def untrusted():
    problem = ssl.SSLCertVerificationError(1, "x")
    problem.verify_message = "self-signed certificate"
    return problem


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (urllib.error.URLError(socket.gaierror(-2, "x")), "could not be resolved"),
        (urllib.error.URLError(ConnectionRefusedError(111, "x")), "connection refused"),
        (urllib.error.URLError(socket.timeout("timed out")), "did not answer within 3 s"),
        (TimeoutError(), "did not answer within 3 s"),
        (urllib.error.URLError(untrusted()), "not trusted here (self-signed certificate)"),
        (urllib.error.URLError(ssl.SSLError(1, "wrong version number")), "does not speak TLS"),
        (http.client.BadStatusLine("x"), "does not speak HTTP"),
        (ConnectionResetError(104, "x"), "broke the connection off"),
        (urllib.error.URLError(OSError(101, "Network is unreachable")), "(Network is unreachable)"),
    ],
)
def test_each_way_of_not_answering_has_its_reason(problem, why):
    refusal = explain_exception(PUBLIC, problem, 3)
    assert why in refusal.why
    assert "desidata" in refusal.what
    assert refusal.do


ANN = Proxy("http", "proxy.org", 3128, ("HTTP_PROXY",), "ann", "secret")
NOBODY = Proxy("http", "::1", 3128)


@pytest.mark.parametrize(
    ("problem", "proxy", "why", "do"),
    [
        (OSError("Tunnel connection failed: 407 Auth"), ANN, "its user and password (407)", "in HTTP_PROXY; "),
        (OSError("Tunnel connection failed: 407 Auth"), NOBODY, "asks for a user", "HTTPS_PROXY=http://user:"),
        (OSError("Tunnel connection failed: 403 Forbidden"), ANN, "nothing through to desidata.s3", "NO_PROXY"),
        (OSError("Tunnel connection failed: 503 No"), ANN, "does not reach desidata.s3", "whoever runs"),
        (BucketAnswer(407), NOBODY, "asks for a user", "user:password"),
        (BucketAnswer(504), ANN, "does not reach desidata.s3", "whoever runs"),
        (BucketAnswer(403, kind="text/html"), ANN, "asked through the proxy proxy.org:3128,", "login page"),
        (ConnectionRefusedError(111, "x"), NOBODY, "The proxy [::1]:3128 does not run", "unset it"),
        (socket.gaierror(-2, "x"), ANN, "The proxy proxy.org:3128 has a name", "unset it"),
        (socket.timeout("x"), ANN, "gave no answer within 3 s", "NO_PROXY"),
        (http.client.BadStatusLine("x"), ANN, "The proxy proxy.org:3128 does not speak HTTP", "unset it"),
        (ConnectionResetError(104, "x"), ANN, "broke the connection off", "unset it"),
        (untrusted(), ANN, "certificate of desidata.s3", "SSL_CERT_FILE"),
    ],
)
def test_proxy_that_is_in_the_way_is_named_and_its_password_is_not(problem, proxy, why, do):
    if isinstance(problem, BucketAnswer):
        refusal = explain_answer(PUBLIC, problem, proxy)
    else:
        refusal = explain_exception(PUBLIC, urllib.error.URLError(problem), 3, proxy)
    assert why in refusal.why
    assert do in refusal.do
    assert "secret" not in str(refusal)


@pytest.mark.parametrize("scheme", ["https", "socks5", "socks5h"])
def test_proxy_that_a_mount_cannot_use_is_refused(scheme):
    with pytest.raises(LabError, match=f"spoken to by {scheme}"):
        check_proxy(PUBLIC, Proxy(scheme, "p", 1))


@pytest.fixture
def server():
    with bucket() as (url, behavior):
        behavior.url = url
        yield behavior


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_one_name_is_asked_for_and_again_where_the_server_is_busy(server):
    spec = make_spec({"bucket": "lab", "endpoint": server.url})
    server.busy = 1
    assert probe_bucket(spec, {}, 5).anything
    assert [path for path, _range in server.asked] == ["/lab?list-type=2&max-keys=1&prefix="] * 2
    server.busy = 9
    with pytest.raises(LabError, match="SlowDown"):
        probe_bucket(spec, {}, 1.2)
    assert 3 <= len(server.asked) <= 5


def test_proxy_of_the_environment_is_used_and_its_exceptions_too(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    spec = make_spec({"bucket": "lab", "endpoint": "http://far.invalid"})
    assert probe_bucket(spec, {}, 5).is_listing
    assert server.asked[0][0] == "http://far.invalid/lab?list-type=2&max-keys=1&prefix="
    monkeypatch.setenv("no_proxy", "far.invalid")
    with pytest.raises(LabError, match="could not be resolved"):
        probe_bucket(spec, {}, 5)


def test_server_that_drips_is_given_up_in_time():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ended = threading.Event()

        def drip():
            connection = listener.accept()[0]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while not ended.wait(0.05):
                connection.sendall(b"x")
            connection.close()

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(LabError, match=r"did not answer within 0\.5 s"):
                spec = make_spec({"bucket": "lab", "endpoint": f"http://127.0.0.1:{listener.getsockname()[1]}"})
                probe_bucket(spec, {}, 0.5)
        finally:
            ended.set()
            thread.join()
