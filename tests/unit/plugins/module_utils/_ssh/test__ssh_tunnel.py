# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel as ssh_tunnel
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_process import Process, Tunnel


def loop(folder, address="127.0.0.1", port=8889, user=None):
    tunnel = Tunnel(folder, f"{folder}/ssh_config", "desi-desi", address, port, "127.0.0.1", 8888)
    return Process(7, 1, 7, os.geteuid() if user is None else user, " ".join(tunnel.command()))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_ports_of_tunnels_are_read_off_what_runs(monkeypatch, address):
    there = [loop("/c/open", address), loop("/c/other", port=9), loop("/c/theirs", user=os.geteuid() + 1)]
    monkeypatch.setattr(ssh_tunnel, "_look", lambda: there)
    assert ssh_tunnel.open_ports(["/c/open", "/c/closed", "/c/theirs"]) == {"/c/open": 8889}
