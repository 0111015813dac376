# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The relay against whoever else reaches its port: another account on the computer, or a web page in a browser."""

import os
import socket
import stat
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import desi_stream
import pytest
from desi_stream.__main__ import bucket_of, remote
from desi_stream.kinds import Kinds
from desi_stream.reader import Sizes
from desi_stream.relay import Relay
from test_stream_relay import Bucket, relay_to

PAGE = b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>"


@pytest.fixture(scope="module")
def one_bucket():
    return Bucket({"d/page.html": PAGE, "d/small.bin": b"small"})


@pytest.fixture(scope="module")
def relay(one_bucket):
    with relay_to(one_bucket) as server:
        yield server


@pytest.fixture
def bucket(one_bucket):
    """The bucket, which nobody has asked anything yet."""
    one_bucket.asked.clear()
    return one_bucket


def ask(relay, path, method="GET", host=None):
    connection = HTTPConnection("127.0.0.1", relay.server_address[1], timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name in [relay.host] if host is None else host:
            connection.putheader("Host", name)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def raw(relay, request):
    with socket.create_connection(relay.server_address, timeout=20) as line:
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


@pytest.mark.security("L1")
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/b/d/small.bin", "GET"),
        ("/b/d/small.bin", "HEAD"),
        ("/b?list-type=2&prefix=d%2F&delimiter=%2F", "GET"),
        ("//b/d/small.bin", "GET"),
        ("{secret}", "HEAD"),
        ("{secret}/bb/d/small.bin", "GET"),
        ("{secret}/b.evil/d/small.bin", "GET"),
        ("{secret}x/b/d/small.bin", "GET"),
        ("{secret}/../b/d/small.bin", "GET"),
        ("{secret}/%62/d/small.bin", "HEAD"),
        ("{short}/b/d/small.bin", "GET"),
        ("{upper}/b/d/small.bin", "GET"),
        ("http://127.0.0.1{secret}/b/d/small.bin", "GET"),
        ("*", "GET"),
    ],
)
def test_request_without_the_secret_path_or_for_another_bucket_is_rejected(relay, bucket, path, method):
    secret = relay.secret
    path = path.format(secret=secret, short=secret[:-1], upper=secret.swapcase())
    status, body, headers = ask(relay, path, method)
    assert (status, body) == (404, b"")
    assert headers.keys() == {"Content-Length", "Content-Type", "X-Content-Type-Options"}
    assert bucket.asked == []


@pytest.mark.security("L1")
@pytest.mark.parametrize("host", [["evil.example"], ["127.0.0.1"], [""], [], ["127.0.0.1:1"], "twice"])
def test_request_with_another_host_header_is_rejected(relay, bucket, host):
    host = [relay.host, "evil.example"] if host == "twice" else host
    assert ask(relay, f"{relay.secret}/b/d/small.bin", host=host)[:2] == (404, b"")
    assert bucket.asked == []


@pytest.mark.security("L1")
@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "CONNECT", "get", "NONSENSE"])
def test_methods_other_than_get_and_head_are_rejected(relay, bucket, method):
    status, body, _headers = ask(relay, f"{relay.secret}/b/d/small.bin", method)
    assert (status, body) == (404, b"")
    assert bucket.asked == []


@pytest.mark.security("L1")
@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
        b"\xff\xfe /\r\n\r\n",
    ],
)
def test_error_responses_reveal_neither_server_nor_secret(relay, request_):
    answer = raw(relay, request_)
    for word in (b"Python", b"BaseHTTP", b"<html", b"desi", relay.secret.encode()):
        assert word not in answer


@pytest.mark.security("L1")
@pytest.mark.parametrize(
    "question", ["/b/d/page.html", "/b?list-type=2&delimiter=%2F&prefix=d%2F", "/b/d/page.html?acl"]
)
def test_what_a_bucket_holds_is_nothing_that_a_browser_runs(relay, question):
    _status, _body, headers = ask(relay, relay.secret + question)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


@pytest.mark.security("L1")
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another account")
def test_another_account_finds_no_way_to_the_path(relay, bucket, tmp_path):
    """As nobody: the port is open to everybody, and that is all that can be seen."""
    program = (
        "import urllib.request as r, urllib.error as e\n"
        f"for path in ('/', '/b/d/small.bin', '/b?list-type=2'):\n"
        f"  try: print(r.urlopen('http://{relay.host}' + path, timeout=20).status)\n"
        "  except e.HTTPError as error: print(error.code, error.read())\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", program], capture_output=True, text=True, user=65534, group=65534, cwd="/"
    )
    assert done.stdout.split("\n")[:3] == ["404 b''"] * 3, done.stderr
    assert bucket.asked == []


@pytest.mark.security("L1")
def test_path_is_new_each_time_and_cannot_be_guessed(relay, bucket):
    other = Relay(relay.upstream, Sizes(), 8 << 20, Kinds(), lambda: None, "b")
    other.server_close()
    assert other.secret != relay.secret
    assert len(relay.secret) >= 43


STAND_IN = """
import os, sys
known = [word for word in sys.argv if word.startswith("--config=")][0].partition("=")[2]
told = open(known).read()
secret = told.split("endpoint = ")[1].split()[0].rpartition("/")[2]
places = [f"/proc/{pid}/{name}" for pid in (os.getpid(), os.getppid()) for name in ("cmdline", "environ")]
print(oct(os.stat(known).st_mode), len(secret), any(secret in open(place).read() for place in places))
"""


@pytest.mark.security("L1")
def test_path_is_handed_over_in_a_file_of_the_owner_alone(tmp_path):
    """Command lines are for everybody to read, so it stands in none, and in no environment either."""
    tool = tmp_path / "tool.py"
    tool.write_text(STAND_IN)
    program = [sys.executable, "-m", "desi_stream", "--endpoint=http://127.0.0.1:1", "--", sys.executable, str(tool)]
    where = {**os.environ, "PYTHONPATH": str(Path(desi_stream.__file__).parents[1])}
    done = subprocess.run([*program, "desi:b/p"], capture_output=True, text=True, env=where, timeout=60)
    mode, length, seen = done.stdout.split()
    assert stat.S_IMODE(int(mode, 8)) == 0o600
    assert int(length) >= 43
    assert seen == "False"


def test_bucket_is_read_off_the_command_of_the_mount():
    assert bucket_of(["rclone", "mount", "desi:b/p/q", "/x", "--devname=desi:no"]) == "b"
    assert bucket_of(["rclone", "mount", "desi:b", "/x"]) == "b"
    for command in (["rclone", "mount", ":s3:b", "/x"], ["rclone", "mount", "desi:", "/x"]):
        with pytest.raises(SystemExit):
            bucket_of(command)


@pytest.mark.security("L1")
def test_rclone_lists_and_reads_through_the_path(relay, tmp_path):
    configuration = tmp_path / "rclone.conf"
    configuration.write_text(remote(relay.endpoint))
    rclone = str(Path(sys.executable).with_name("rclone"))

    def run(*words):
        command = [rclone, f"--config={configuration}", "--retries=1", "--low-level-retries=1", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("lsf", "desi:b/d").split() == ["page.html", "small.bin"]
    assert run("cat", "desi:b/d/small.bin") == "small"
