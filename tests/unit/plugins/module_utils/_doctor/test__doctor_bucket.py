# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import socket
import time

import pytest
from bucket_stand_in import bucket, make_certificate

from ansible_collections.desi.lab.plugins.module_utils._doctor import bucket as doctor_bucket
from ansible_collections.desi.lab.plugins.module_utils._doctor.bucket import READ_BYTES, Bucket
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import MountSpec


def look(url, seconds=10.0, environment=None, prefix=""):
    """Return the findings of a bucket and of the clock."""
    bucket, *clock = Bucket(MountSpec("desidata", prefix, url), environment or {}, seconds).findings()
    (clock,) = clock
    assert (bucket.check, clock.check) == ("bucket", "clock")
    return bucket, clock


def test_a_bucket_that_is_well_is_told_with_its_speed():
    with bucket() as (url, behavior):
        found, clock = look(url)
    assert (found.verdict, clock.verdict) == (OK, OK)
    assert found.facts["bytes_read"] == READ_BYTES
    assert found.facts["mib_a_second"] > 0
    paths = [path for path, _range in behavior.asked]
    assert len(paths) <= 5
    # The largest one, by its own name.
    assert behavior.asked[-1] == ("/desidata/edr/large%20%26%201.fits", f"bytes=0-{READ_BYTES - 1}")


def test_an_empty_bucket_has_no_throughput():
    with bucket() as (url, behavior):
        behavior.objects = {}
        found, _clock = look(url)
    assert (found.verdict, found.facts["mib_a_second"], found.facts["bytes_read"]) == (OK, None, 0)


def test_objects_are_looked_for_below_the_prefix():
    with bucket() as (url, behavior):
        look(url, prefix="mirror/desi")
    listings = [path for path, _range in behavior.asked if "list-type" in path]
    assert all("prefix=mirror%2Fdesi%2F" in path for path in listings)
    assert "max-keys=200&" in listings[-1]


def test_a_bucket_from_which_little_comes_is_slow_and_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(doctor_bucket, "READ_SECONDS", 0.3)
    with bucket() as (url, behavior):
        behavior.stalls_at = 1000
        began = time.monotonic()
        found, _clock = look(url)
    assert time.monotonic() - began < 5
    assert (found.verdict, found.facts["bytes_read"]) == (WARNING, 1000)
    assert "./lab ec2" in found.do


def test_a_bucket_that_takes_long_for_each_request_is_slow():
    with bucket() as (url, behavior):
        behavior.delay = 0.6
        found, _clock = look(url)
    assert (found.verdict, found.facts["milliseconds"] >= 600) == (WARNING, True)


def test_a_bucket_that_does_not_answer_is_given_up_in_time():
    with bucket() as (url, behavior):
        behavior.delay = 30
        began = time.monotonic()
        found, clock = look(url, seconds=0.5)
    assert time.monotonic() - began < 5
    assert (found.verdict, clock.verdict) == (BROKEN, SKIPPED)
    assert "did not answer within 0.5 s" in found.why


def test_a_bucket_that_refuses_is_broken_and_says_so():
    with bucket() as (url, behavior):
        behavior.error, behavior.status = "AccessDenied", 403
        found, _clock = look(url)
    assert (found.verdict, "does not let the public list it" in found.why) == (BROKEN, True)
    assert found.do


def test_objects_that_nobody_may_read_make_a_bucket_broken():
    with bucket() as (url, behavior):
        behavior.read_status = 403
        found, _clock = look(url)
    assert (found.verdict, "403" in found.why) == (BROKEN, True)


def test_where_nothing_listens_it_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found, clock = look(f"http://127.0.0.1:{port}")
    assert (found.verdict, clock.verdict, "connection refused" in found.why) == (BROKEN, SKIPPED, True)


def test_an_authority_that_nobody_trusts_is_told_with_what_to_set(tmp_path):
    certificate = make_certificate(tmp_path / "server.pem")
    with bucket(certificate) as (url, _behavior):
        found, _clock = look(url)
        trusted, clock = look(url, environment={"SSL_CERT_FILE": str(certificate)})
    assert (found.verdict, "not trusted here" in found.why, "SSL_CERT_FILE" in found.do) == (BROKEN, True, True)
    assert (trusted.verdict, clock.verdict) == (OK, OK)


def test_where_certificates_are_not_believed_the_time_is_asked_in_plain(tmp_path, monkeypatch):
    monkeypatch.setattr(Bucket, "ahead_in_plain", lambda _self: 9000.0)
    with bucket(make_certificate(tmp_path / "server.pem")) as (url, _behavior):
        _found, clock = look(url)
    assert (clock.verdict, clock.found) == (BROKEN, "about 2 hours ahead of the server's")


@pytest.mark.parametrize(("ahead", "verdict"), [(-20, OK), (90, WARNING), (-400, BROKEN)])
def test_the_clock_is_held_against_the_servers(ahead, verdict):
    with bucket() as (url, behavior):
        behavior.ahead = ahead
        _found, clock = look(url)
    assert clock.verdict == verdict
    assert abs(clock.facts["seconds_ahead"] - ahead) < 3


@pytest.mark.parametrize("date", ["", "yesterday", "99 Foo 2026 99:99:99"])
def test_a_time_that_cannot_be_read_is_no_time(date):
    with bucket() as (url, behavior):
        behavior.date = date
        found, clock = look(url)
    assert (found.verdict, clock.verdict) == (OK, SKIPPED)


def test_a_bucket_on_this_computer_is_asked_past_the_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with bucket() as (url, _behavior):
        assert look(url)[0].verdict == OK
