# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test against the simulated region needs."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from labs import Lab
from launching import Launcher
from player import IS_POSSIBLE, Player
from region.running import RunningRegion, running

DOMAIN = "lab.example.org"
# Labs whose verbs are each a process of its own, as a person starts them. Those of the others are played in one.
WHOLE = ("TestALabOnAmazonLinux",)


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegion]:
    """Return the simulated region that all tests share."""
    with running(tmp_path_factory.mktemp("r") / "region.log") as found:
        yield found


@pytest.fixture(scope="session")
def players() -> Iterator[list[Player]]:
    """Return the process that plays verbs, once there is one, and end it."""
    made: list[Player] = []
    yield made
    for player in made:
        player.close()


@pytest.fixture(scope="class", autouse=True)
def quick(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, players: list[Player]
) -> Iterator[None]:
    """Let verbs be played in one process, where it is not the command itself that is shown."""
    if IS_POSSIBLE and getattr(request.cls, "__name__", "") not in WHOLE:
        # Its name is short, because sockets are made in it.
        players or players.append(Player(tmp_path_factory.mktemp("q"), dict(os.environ)))
        Lab.player = players[0]
    yield
    Lab.player = None


@pytest.fixture(scope="session")
def free_ports() -> Iterator[int]:
    """Return ports on which nothing listens, each given once."""

    def ports() -> Iterator[int]:
        given: set[int] = set()
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                given.add(port)
                yield port

    return ports()


@pytest.fixture(scope="class")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the person's computer. Its name is short, because sockets are made in it."""
    folder = tmp_path_factory.mktemp("h")
    yield folder
    # What cannot be removed is for whoever clears the folders of pytest.
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="class")
def lab(request: pytest.FixtureRequest, region: RunningRegion, home: Path, free_ports: Iterator[int]) -> Iterator[Lab]:
    """Return the lab of a class, by its NAME and SETTINGS, and take away whatever it leaves."""
    made = Lab(region, request.cls.NAME, home, next(free_ports), **request.cls.SETTINGS)
    yield made
    made.attempt("down", lab_yes=True)


@pytest.fixture
def own_certificate(tmp_path: Path) -> tuple[Path, Path, str]:
    """Return a certificate that nobody has signed, its private key, and the name that it is for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = tmp_path / "own.pem", tmp_path / "own-key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    private.chmod(0o600)
    return pem, private, DOMAIN


@pytest.fixture(scope="module")
def launcher(region: RunningRegion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Return somebody who launches machines by hand, and terminates them in the end."""
    found = Launcher(region, tmp_path_factory.mktemp("l"))
    yield found
    found.clean()
