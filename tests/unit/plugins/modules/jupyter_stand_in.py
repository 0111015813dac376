# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that speaks as Jupyter does, and certificates for it."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOKEN = "6f1cdead"  # noqa: S105 - no secret
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def usage(signs):
    """Return what a key may be used for; newer Pythons want an authority to say that it signs."""
    rest = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    rest += ("encipher_only", "decipher_only")
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, **dict.fromkeys(rest, False))


class Holder:
    """A name with a key and a certificate, signed by itself or by another one."""

    def __init__(self, folder, name, signer=None, names=("lab.example.org",), begins=NOW - DAY, ends=NOW + DAY):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternatives = [x509.DNSName(each) for each in names] + [x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name if signer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
            .add_extension(usage(signs=signer is None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key((signer or self).key.public_key()), critical=False
            )
            .sign((signer or self).key, hashes.SHA256())
        )
        digits = made.fingerprint(hashes.SHA256()).hex().upper()
        self.fingerprint = ":".join(digits[at : at + 2] for at in range(0, 64, 2))
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.chain = folder / f"{name}-key.pem"
        kind = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.chain.write_bytes(
            self.key.private_bytes(serialization.Encoding.PEM, *kind) + self.certificate.read_bytes()
        )


class Jupyter(http.server.ThreadingHTTPServer):
    """A server that speaks as Jupyter does, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, port=0, holder=None, token=TOKEN, base="", answers=None):
        self.asked, self.names, self.token, self.base, self.answers = [], [], token, base, answers or {}
        super().__init__(("127.0.0.1", port), Handler)
        if holder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(holder.chain)
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def tokens(self):
        return [value for _path, headers in self.asked for value in headers.values() if TOKEN in value]

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        question = self.path.removeprefix(self.server.base)
        answer = self.server.answers.get(question)
        if callable(answer):
            answer = answer()
        if answer is None:
            allowed = not self.server.token or self.headers.get("Authorization") == f"token {self.server.token}"
            known = {"/api": {"version": "2.17.0"}, "/api/status": {"started": "2026-11-25T10:31:00Z", "kernels": 0}}
            known_to = known if allowed else {"/api": known["/api"]}
            answer = (
                (200, known_to[question], {}) if question in known_to else (403 if question in known else 404, {}, {})
            )
        status, document, headers = answer
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        pass
