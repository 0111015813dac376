# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reaches the network as root here has the caller's proxies and authorities, and on another host its own."""

from types import SimpleNamespace

import pytest

from ansible_collections.desi.lab.plugins.action import bucket_mount, packages
from ansible_collections.desi.lab.plugins.module_utils._common import network
from ansible_collections.desi.lab.plugins.plugin_utils import _network, _surroundings

CALLER = {"https_proxy": "http://ann:secret@proxy:3128", "SSL_CERT_FILE": "/ca.pem", "no_proxy": "", "PATH": "/bin"}


@pytest.mark.parametrize("module", [bucket_mount, packages])
@pytest.mark.parametrize(
    ("transport", "given"),
    [("local", {"https_proxy": CALLER["https_proxy"], "SSL_CERT_FILE": "/ca.pem"}), ("ssh", None)],
)
def test_module_gets_the_network_of_the_caller_where_it_runs_here(monkeypatch, module, transport, given):
    monkeypatch.setattr(_network.NormalAction, "run", lambda *_given: {})
    monkeypatch.setattr(_network.os, "environ", CALLER)
    action = module.ActionModule.__new__(module.ActionModule)
    action._connection, action._task = SimpleNamespace(transport=transport), SimpleNamespace(args={})
    action.run()
    assert action._task.args.get("network") == given


def test_module_takes_nothing_else_from_it(monkeypatch):
    known = {"PATH": "/bin"}
    monkeypatch.setattr(network.os, "environ", known)
    network.use_network({"https_proxy": "http://proxy:3128", "LD_PRELOAD": "/evil.so", "PATH": "/evil"})
    network.use_network(None)
    assert known == {"PATH": "/bin", "https_proxy": "http://proxy:3128"}


def test_front_door_agrees_on_the_names():
    assert set(network.CA_NAMES) == set(_surroundings.AUTHORITIES)
    assert {name.lower() for name in network.PROXY_NAMES} == set(_surroundings.PROXIES)
