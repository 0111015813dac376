# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image goes from the lab's machine to that of a worker, whole or not at all, and not without the certificate."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._workers import new_identity

FILES = Path(__file__).resolve().parents[4] / "roles/dask/files"
DOCKER = """#!/bin/sh
case "$1" in
save) cat "$IMAGE"; exit ${SAVE_CODE:-0};;
load) cat > "$LOADED";;
esac
"""


@pytest.fixture
def transfer(tmp_path):
    """Return a function that sends a file as an image, and returns the receiver's exit code and what it loaded."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    image, loaded = tmp_path / "image", tmp_path / "loaded"
    image.write_bytes(os.urandom(3_000_000))
    senders, lines = [], []

    def pem(name):
        path = tmp_path / name
        path.write_text(new_identity(name)[0])
        return str(path)

    def run(with_other=False, code=0, silent=0):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        ours = pem("ours")
        environment = {
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "IMAGE": str(image),
            "LOADED": str(loaded),
            "SAVE_CODE": str(code),
        }
        send = [sys.executable, "-I", FILES / "send_image.py", ours, "127.0.0.1", port, "sha256:1", "60"]
        senders.append(subprocess.Popen(send, env=environment, stderr=subprocess.DEVNULL))
        lines.extend(connected(int(port)) for _line in range(silent))
        receive = [sys.executable, "-I", FILES / "receive_image.py", pem("other") if with_other else ours]
        done = subprocess.run(
            [*receive, "127.0.0.1", port], env=environment, capture_output=True, timeout=60, check=False
        )
        return done.returncode, loaded.read_bytes() == image.read_bytes() if loaded.exists() else False

    yield run
    for line in lines:
        line.close()
    for sender in senders:
        sender.kill()
        sender.wait()


def connected(port):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port))
        time.sleep(0.05)
    raise AssertionError("nobody listens")


@pytest.mark.security("L13")
def test_who_shows_no_certificate_keeps_nobody_from_the_image(transfer):
    begun = time.monotonic()
    # More than are sent to at once, and than are let in.
    assert transfer(silent=70) == (0, True)
    assert time.monotonic() - begun < 40


def test_it_comes_whole(transfer):
    assert transfer() == (0, True)


@pytest.mark.parametrize("how", [{"with_other": True}, {"code": 1}])
def test_image_is_not_sent_without_the_certificate_and_never_loaded_in_part(transfer, how):
    code, _same = transfer(**how)
    assert code == 1
