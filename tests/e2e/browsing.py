# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chromium, as Debian packages it, that writes down whom it talks to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kinds import Lab
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright
from wire import network_of

SIZE = {"width": 1440, "height": 900}
# What a page asks of nobody but itself; a notebook carries its attachments.
INSIDE = ("data", "blob", "attachment", "about", "chrome", "chrome-extension", "devtools")
# A busy computer with two cores is slow; whatever is waited for is awaited, so that a fast one is not slowed down.
PATIENCE = 90_000


def pin(certificate: Path) -> str:
    """Return the public key of a certificate in the form in which Chromium is told to believe it."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


class Browsing:
    """A browser that visits one lab, and every URL that its pages have asked for."""

    def __init__(self, lab: Lab, chromium: Chromium) -> None:
        self.lab = lab
        self.asked: list[str] = []
        self._chromium = chromium

    def may_ask(self, url: str) -> bool:
        """Return whether a URL is one of the lab's, or leads nowhere."""
        parts = urlsplit(url)
        return parts.scheme in INSIDE or parts.hostname in self.lab.hosts

    @contextlib.contextmanager
    def page(self) -> Iterator[Page]:
        """Open an empty page that knows nothing of earlier ones."""
        context = self._chromium.new_context(viewport=SIZE, locale="en-US")
        context.set_default_timeout(PATIENCE)
        context.on("request", lambda request: self.asked.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        try:
            yield page
        finally:
            context.close()


@contextlib.contextmanager
def browser(lab: Lab, folder: Path) -> Iterator[Browsing]:
    """Run a browser in a network where there is the lab alone; its record has to show that pages asked nobody else."""
    record, address = folder / "network.json", urlsplit(lab.url)
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", f"--log-net-log={record}"]
    if lab.certificate:
        arguments.append(f"--ignore-certificate-errors-spki-list={pin(lab.certificate)}")
    with network_of(address.hostname, address.port or 443, folder) as within, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=command(folder, within), args=arguments)
        opened = Browsing(lab, chromium)
        try:
            yield opened
        finally:
            chromium.close()
    urls = recorded(record)
    assert any(urlsplit(url).netloc == address.netloc for url in urls), "the record of the network is empty"
    strangers = sorted({url for url in urls if not opened.may_ask(url)})
    assert not strangers, f"the pages asked others: {strangers}"


def command(folder: Path, within: Sequence[str]) -> Path:
    """Make a command that runs Chromium in a network."""
    made = folder / "chromium"
    made.write_text(f'#!/bin/sh\nexec {shlex.join([*within, shutil.which("chromium")])} "$@"\n')
    made.chmod(0o755)
    return made


def recorded(record: Path) -> list[str]:
    """Return every URL that a page had the browser ask for, by the browser's own record of the network.

    Chromium has calls home of its own. They have no page that they come from, and in this network they reach nobody.
    """
    text = record.read_text(errors="replace").rstrip().removesuffix(",")
    # A browser that was ended in haste leaves the record open.
    data = json.loads(text if text.endswith("}") else text + "]}")
    kinds = {number for name, number in data["constants"]["logEventTypes"].items() if name == "URL_REQUEST_START_JOB"}
    about = [event.get("params", {}) for event in data["events"] if event["type"] in kinds]
    return [each["url"] for each in about if "url" in each and urlsplit(each.get("initiator", "")).scheme]
