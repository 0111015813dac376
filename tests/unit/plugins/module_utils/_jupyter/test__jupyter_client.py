# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._jupyter.client import Kernel, Server, text_of_frame


class Answers(BaseHTTPRequestHandler):
    """Answers as a Jupyter server would, by the path alone, and tells what it was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        code = {"none": 404, "locked": 403, "broken": 500}.get(self.path.rsplit("/", 1)[-1], 200)
        body = json.dumps({"path": self.path}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def http(request):
    server = HTTPServer((getattr(request, "param", "127.0.0.1"), 0), Answers)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("page", ["/lab", "/tree", "/", ""])
def test_server_is_asked_at_the_root_of_its_url_with_its_token_and_through_no_proxy(http, monkeypatch, page):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = Server(f"http://127.0.0.1:{http.server_port}/user/ann{page}?token=c0ffee")
    assert server.ask("GET", "contents/a b?content=0") == {"path": "/user/ann/api/contents/a%20b?content=0"}
    assert http.asked == [("/user/ann/api/contents/a%20b?content=0", "token c0ffee")]


def test_what_is_not_there_is_none(http):
    assert Server(f"http://127.0.0.1:{http.server_port}/lab").ask("GET", "contents/none") is None


@pytest.mark.parametrize(
    ("path", "what"), [("locked", "does not let this program in"), ("broken", "stopped answering")]
)
def test_refusals_and_failures_of_the_server_are_told(http, path, what):
    with pytest.raises(LabError, match=what):
        Server(f"http://127.0.0.1:{http.server_port}/lab?token=c0ffee").ask("GET", path)


def test_server_that_is_not_there_is_told_without_its_token(http):
    url = f"http://127.0.0.1:{http.server_port}/lab?token=c0ffee"
    http.server_close()
    with pytest.raises(LabError, match="stopped answering") as caught:
        Server(url).ask("GET", "status")
    assert "c0ffee" not in str(caught.value)


def certificate(folder, name):
    """Make a certificate for a name that is not the address of the server, and return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desi-desi.invalid")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("desi-desi.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(private)
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path, folder / f"{name}.key"


@pytest.mark.parametrize("http", ["127.0.0.1", "127.0.0.2"], indirect=True)
def test_server_of_the_pinned_certificate_is_believed_at_any_address_and_no_other(http, tmp_path, monkeypatch):
    mine, key = certificate(tmp_path, "mine")
    other, _key = certificate(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mine, key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    url = f"https://{http.server_address[0]}:{http.server_port}/lab?token=c0ffee"
    # As where an institute has authorities of its own.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    assert Server(url, str(mine)).ask("GET", "status")
    for certificate_file in (str(other), ""):
        with pytest.raises(LabError, match="SSLError"):
            Server(url, certificate_file).ask("GET", "status")
    assert len(http.asked) == 1


class Channel:
    """A websocket on which a kernel's messages wait."""

    def __init__(self, *messages):
        self.messages = [*messages]
        self.number = ""

    def send(self, text):
        self.number = json.loads(text)["header"]["msg_id"]

    def recv(self):
        kind, content, *other = self.messages.pop(0)
        parent = {} if other else {"msg_id": self.number}
        return json.dumps({"msg_type": kind, "content": content, "parent_header": parent})


IDLE = ("status", {"execution_state": "idle"})
REPLY = ("execute_reply", {"status": "ok"})


@pytest.mark.parametrize("order", [(IDLE, REPLY), (REPLY, IDLE)])
def test_code_is_done_with_its_reply_and_an_idle_kernel_in_whatever_order(order):
    stranger = ("stream", {"text": "of somebody else"}, "other")
    channel = Channel(stranger, ("stream", {"text": "mine"}), *order, ("stream", {"text": "late"}))
    found = list(Kernel(channel).execute("print()"))
    assert [content.get("text") for _kind, content in found if _kind == "stream"] == ["mine"]
    assert len(channel.messages) == 1


def test_kernel_that_died_is_noticed_though_nobody_asked_for_that():
    with pytest.raises(LabError, match="kernel died"):
        list(Kernel(Channel(("status", {"execution_state": "restarting"}, "other"))).execute("1"))


def test_frame_with_binary_parts_is_read_by_its_first_part():
    parts = [b'{"a": 1}', b"\x00picture"]
    starts = [4 + 4 * len(parts), 4 + 4 * len(parts) + len(parts[0])]
    assert text_of_frame(struct.pack(">I2I", 2, *starts) + b"".join(parts)) == parts[0]
    assert text_of_frame(struct.pack(">II", 1, 8) + parts[0]) == parts[0]
    assert text_of_frame("{}") == "{}"
