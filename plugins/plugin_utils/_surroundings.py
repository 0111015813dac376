# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the caller's environment counts, the same for every part of a run. docs/surroundings.md is the table.

The front door runs this before Ansible is there, so it imports nothing but Python itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

# The front door has dropped ANSIBLE_*, PYTHON* and PIP_* already, which an environment is made without.
DROPPED_FAMILIES = ("BASH_FUNC_", "BUILDKIT_", "BUILDX_", "CONDA_", "GIT_", "JUPYTER_", "RCLONE_", "UV_")
DROPPED = {
    *("BASH_ENV", "BASHOPTS", "CDPATH", "ENV", "GLOBIGNORE", "GREP_OPTIONS", "IFS", "POSIXLY_CORRECT", "SHELLOPTS"),
    "VIRTUAL_ENV",
    # The command and Docker's library would talk to the engine in two ways.
    *("DOCKER_API_VERSION", "DOCKER_BUILDKIT", "DOCKER_CONTENT_TRUST", "DOCKER_DEFAULT_PLATFORM"),
    *("DOCKER_TIMEOUT", "DOCKER_TLS_HOSTNAME"),
    # Half of the programs read files alone, and what runs as root is given files alone.
    "SSL_CERT_DIR",
}
# How a repository is reached, and not which one.
KEPT = {
    *("GIT_ASKPASS", "GIT_HTTP_PROXY_AUTHMETHOD", "GIT_PROXY_COMMAND", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_TERMINAL_PROMPT"),
}
# What the front door hands to the run itself.
OWN = ("DESI_LAB_JSON", "DESI_LAB_NOTEBOOK", "DESI_LAB_QUIET")
DOCKER_TLS = ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# This computer itself, and where clouds tell a machine about itself.
NEVER_BY_PROXY = ("localhost", "127.0.0.1", "::1", "127.0.0.0/8", "169.254.169.254")
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
LOCALE = "C.UTF-8"
# What apt, pip and Ansible need to find anything.
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NARROWEST = 40


def agreed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which every program of a run reads the same, whatever spelling it knows."""
    found = {
        name: value
        for name, value in environ.items()
        if name in KEPT or not (name in DROPPED or name.startswith(DROPPED_FAMILIES))
    }
    # The specification of these variables has relative paths ignored.
    found = {
        name: value
        for name, value in found.items()
        if not (name.startswith("XDG_") and name.endswith(("_HOME", "_DIR")) and not value.startswith("/"))
    }
    columns = found.get("COLUMNS", "")
    if columns and not (columns.isdigit() and int(columns) >= NARROWEST):
        del found["COLUMNS"]
    verbosity = found.get("ANSIBLE_VERBOSITY", "0")
    if not (verbosity.isascii() and verbosity.isdigit()):
        del found["ANSIBLE_VERBOSITY"]
    # Without a scheme, Docker reads tcp.
    host = found.get("DOCKER_HOST", "")
    if not host or ("://" in host and not host.startswith("tcp://")):
        # The command would look for keys for a socket, too.
        found = {name: value for name, value in found.items() if name not in DOCKER_TLS}
    return {**found, **_proxies(found), **_authorities(found)}


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return each proxy in both spellings and with a scheme, and what is never reached by one."""
    found = {}
    for name in PROXIES:
        # An empty one means none, for the programs that read this spelling first.
        value = environ.get(name, environ.get(name.upper(), "")).strip()
        if name in environ or name.upper() in environ:
            found[name] = value if "://" in value or not value else f"http://{value}"
    everything = found.get("all_proxy", "")
    if everything.startswith(("http://", "https://")):
        # Half of the programs do not know it.
        found = {"http_proxy": everything, "https_proxy": everything, **found}
    if any(found.values()):
        given = f"{environ.get('no_proxy', '')},{environ.get('NO_PROXY', '')}"
        hosts = [host.strip() for host in given.split(",") if host.strip()]
        found["no_proxy"] = "*" if "*" in hosts else ",".join(dict.fromkeys([*hosts, *NEVER_BY_PROXY]))
    return {spelling: value for name, value in found.items() for spelling in (name, name.upper())}


def _authorities(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the file of certificate authorities under each name that a part reads."""
    first = next((environ[name] for name in AUTHORITIES if environ.get(name)), "")
    return {name: environ.get(name) or first for name in AUTHORITIES} if first else {}


def surroundings(
    environ: Mapping[str, str], home: str, speaks: bool, writable: Callable[[str], bool]
) -> dict[str, str]:
    """Return the environment of a run of the front door.

    ``home`` is the home of the user by the system's records, ``speaks`` whether the locale is one of UTF-8 that is
    installed, ``writable`` whether a path is a directory that can be written to.
    """
    found = {name: value for name, value in agreed(environ).items() if name not in OWN}
    folders = [each for each in found.get("PATH", "").split(os.pathsep) if each.startswith("/")]
    found["PATH"] = os.pathsep.join(folders) or USUAL_PATH
    if not found.get("HOME", "").startswith("/"):
        found["HOME"] = home
    for name in ("TMPDIR", "TEMP", "TMP"):
        if name in found and not (found[name].startswith("/") and writable(found[name])):
            del found[name]
    if not speaks:
        found["LC_ALL"] = LOCALE
    return found
