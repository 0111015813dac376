# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory in which the command was called, and a lab's own directory."""

from __future__ import annotations

import contextlib
import os
import pwd
import typing as t

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import open_made
from ..module_utils._common.privileges import as_owner
from ..module_utils._lab.shared_directory import HOLDS_CREDENTIALS, Around, why_not_shared

# Variables that point to keys and credential sockets.
POINT_TO_KEYS = (
    *(
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "DOCKER_CERT_PATH",
        "DOCKER_CONFIG",
    ),
    *(
        "GNUPGHOME",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "KRB5CCNAME",
        "KUBECONFIG",
        "NETRC",
        "PASSWORD_STORE_DIR",
        "SSH_AUTH_SOCK",
    ),
)
SCHEMES = ("unix://", "FILE:")
XDG = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")


def around_of(
    environment: t.Mapping[str, str],
    uids: t.Iterable[int],
    homes: t.Iterable[str],
    programs: t.Iterable[str],
    private: t.Iterable[str],
    platform: str,
) -> Around:
    """Return what must not be shared on this computer, for these users and homes."""
    at_home = [environment.get("HOME", ""), *homes]
    for uid in uids:
        with contextlib.suppress(KeyError):
            at_home.append(pwd.getpwuid(uid).pw_dir)
    named = [environment.get(name, "") for name in XDG]
    for name in (*POINT_TO_KEYS, "DOCKER_HOST"):
        value = environment.get(name, "")
        scheme = next((scheme for scheme in SCHEMES if value.startswith(scheme)), "")
        named += value[len(scheme) :].split(":")
    return Around(
        homes=_real(at_home), programs=_real(programs), private=_real([*named, *private]), any_case=platform == "darwin"
    )


def _real(paths: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths if path.startswith("/")))


def why_not(path: str, around: Around, system: bool = True) -> str:
    """Return why a directory must not be shared, else an empty string. See why_not_shared."""
    real = os.path.realpath(path)
    holds = [name for name in HOLDS_CREDENTIALS if os.path.lexists(f"{real}/{name}")]
    return why_not_shared(real, holds, around, system)


def make(path: str, uid: int, gid: int) -> None:
    """Create a directory with the rights of a person, who may have planted links in its path."""
    try:
        with as_owner((uid, gid)):
            os.close(open_made(path, 0o755))
    except OSError as error:
        raise LabError(
            f"The folder {path} could not be made.",
            f"{error.strerror or error}: {error.filename or path}.",
            "Give another one with -e lab_folder=/path.",
        ) from error
