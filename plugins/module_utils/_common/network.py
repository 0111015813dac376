# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables by which programs reach the network: proxies and certificate authorities."""

from __future__ import annotations

import os
import typing as t

PROXY_NAMES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
CA_NAMES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
NAMES = (*PROXY_NAMES, "no_proxy", "NO_PROXY", *CA_NAMES)


def network_of(environ: t.Mapping[str, str]) -> dict[str, str]:
    """Return those variables of an environment that are set."""
    return {name: environ[name] for name in NAMES if environ.get(name)}


def use_network(given: t.Mapping[str, t.Any] | None) -> None:
    """Set these variables for this process, and no others.

    sudo drops them, and a proxy may have a password, which must be in no command.
    """
    os.environ.update({name: str(value) for name, value in (given or {}).items() if name in NAMES})


def ca_bundle(environ: t.Mapping[str, str]) -> str:
    """Return the CA bundle of the environment, by any of its usual variables."""
    return next((environ[name] for name in CA_NAMES if environ.get(name)), "")
