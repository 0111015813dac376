# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate of a lab's own stays as long as it is valid, and is renewed before that ends."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

NOW = datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture
def ensure(play_tasks, tmp_path):
    """Return a function that ensures the certificate, and returns it and what was said of it."""

    def run():
        tasks = [{"ansible.builtin.import_role": {"name": "desi.lab.tls"}}]
        code, output = play_tasks(tasks, {"tls_folder": str(tmp_path)})
        assert code == 0, output
        return x509.load_pem_x509_certificate((tmp_path / "tls/cert.pem").read_bytes()), output

    return run


def age(directory, days):
    """Let a certificate be valid for that many days from now, and be the same otherwise."""
    key = serialization.load_pem_private_key((directory / "key.pem").read_bytes(), None)
    old = x509.load_pem_x509_certificate((directory / "cert.pem").read_bytes())
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
    builder = builder.not_valid_before(NOW - datetime.timedelta(365))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    made = builder.not_valid_after(NOW + datetime.timedelta(days)).sign(key, hashes.SHA256())
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(("days", "renewed"), [(40, False), (20, True), (-1, True)])
def test_certificate_is_renewed_in_its_last_days_with_the_same_key(ensure, tmp_path, days, renewed):
    first, _output = ensure()
    assert ensure()[0] == first
    age(tmp_path / "tls", days)
    found, output = ensure()
    assert found.public_key() == first.public_key()
    assert (found.not_valid_after_utc > NOW + datetime.timedelta(360)) is renewed
    assert ("warns once more" in output) is renewed
    assert ensure()[0] == found


def test_certificate_that_cannot_be_read_is_made_again(ensure, tmp_path):
    ensure()
    (tmp_path / "tls/cert.pem").write_text("no certificate")
    assert ensure()[0].not_valid_after_utc > NOW
