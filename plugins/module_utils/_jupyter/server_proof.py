# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates, and whom a connection trusts because of them."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# Python has a name for it only since 3.10. Without it, only a self-signed certificate could be trusted alone.
_PARTIAL_CHAIN = 0x80000


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 fingerprint of a certificate in the form that browsers show."""
    digest = hashlib.sha256(certificate).hexdigest().upper()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def read_certificate(path: str) -> bytes:
    try:
        found = _PEM.search(Path(path).read_text(errors="replace"))
        if not found:
            raise ValueError
        certificate = ssl.PEM_cert_to_DER_cert(found[0])
        context_of_one(certificate)
    except (OSError, ValueError) as error:
        unread = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
        raise LabError(
            f"The certificate {path} cannot be used.",
            f"The file cannot be read ({error.strerror})." if unread else "There is no certificate in the file.",
            "Run the command that made it again.",
        ) from None
    return certificate


def context_of_one(certificate: bytes) -> ssl.SSLContext:
    """Trust one certificate, by whatever name its holder is reached, and nobody else in the world."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= _PARTIAL_CHAIN
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(certificate))
    return context


def usual_context(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ValueError):
        raise LabError(
            f"The certificate authorities in {ca} cannot be used.",
            "The file cannot be read, or there is no certificate in it.",
            "Give a file of certificates in PEM form, or none to trust whom this computer trusts.",
        ) from None
