# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.network import parse_proxy, proxy_for

URL = "https://bucket.example.org/"


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("http://proxy:3128", "proxy:3128"),
        ("proxy:3128", "proxy:3128"),
        ("http://ann:x%23%40@proxy:3128", "proxy:3128"),
        ("http://ann:x@y@proxy", "proxy:80"),
        *[(f"http://{rest}", None) for rest in ("ann:1234#x@proxy:3128", "ann:12?x@proxy", "", "proxy:x", "a b:1")],
        *[(value, None) for value in ("ann:1234/x@proxy:3128", "gopher://proxy")],
    ],
)
def test_no_part_of_a_password_is_shown_as_the_address_of_a_proxy(monkeypatch, value, address):
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for(URL) is None
    monkeypatch.setenv("https_proxy", value)
    found = parse_proxy(value)
    assert (found and found.address) == address
    if address:
        assert proxy_for(URL) == found._replace(names=("HTTPS_PROXY",))
    else:
        with pytest.raises(LabError, match="HTTPS_PROXY is no address") as refused:
            proxy_for(URL)
        assert not [part for part in ("12", "x@", "ann:") if part in str(refused.value)]
