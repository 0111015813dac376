# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of real buckets share: an S3 server's tree, and what they need of the machine."""

import os
import shutil
import socket
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount import host

FITS = bytes(range(251)) * 12_000
TREE = {"edr/a.fits": FITS, "edr/sub/b c.txt": b"hello", "dr1/x.txt": b"dr1"}
NOBODY = 65534
_FILES = Path(__file__).parents[4] / "roles/data/files"
RELAY = {str(file.relative_to(_FILES)): file.read_text() for file in _FILES.glob("desi_stream/*.py")}

needs_fuse = [
    pytest.mark.fuse,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse"),
]


def has(tool):
    return shutil.which(tool, path=host.search_path(())) is not None


needs_rclone = pytest.mark.skipif(not has("rclone"), reason="rclone is not installed")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def put(url, data=b""):
    request = urllib.request.Request(url, data=data, method="PUT")  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - loopback
        assert response.status == 200
