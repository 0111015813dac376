# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the directory to share with a lab."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
import typing as t
from pathlib import Path

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import open_made
from ..module_utils._common.privileges import as_owner
from ..module_utils._jupyter.host import server_container, take_inventory
from ..module_utils._lab.labels import DIRECTORY, is_of_another, labels_of
from ..module_utils._lab.shared_directory import (
    HOLDS_CREDENTIALS,
    Around,
    choose,
    refusal,
    refusal_of_cache,
    refusal_of_data,
    why_not_shared,
)
from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._settings import check_directory

ENGINE_SECONDS = 10.0
# Variables that point to keys and credential sockets.
POINT_TO_KEYS = (
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "DOCKER_CERT_PATH"),
    *("DOCKER_CONFIG", "GNUPGHOME", "GOOGLE_APPLICATION_CREDENTIALS", "KRB5CCNAME", "KUBECONFIG", "NETRC"),
    *("PASSWORD_STORE_DIR", "SSH_AUTH_SOCK"),
)
SCHEMES = ("unix://", "FILE:")
XDG = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")


class ActionModule(ControllerAction):
    """Works where the directory is."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Choose a directory, and create the lab's own. Raises LabError for one that must not be shared."""
        uid = os.getuid() if args["uid"] is None else args["uid"]
        gid = os.getgid() if args["gid"] is None else args["gid"]
        # Options of type path would put the value of a variable for $NAME, which a path may have in it.
        paths = {name: str(Path(args[name]).expanduser()) for name in ("folder", "data") if args[name]}
        args = {**args, **paths}
        around = around_of(args, {os.getuid(), uid})

        def why(path: str, system: bool = True) -> str:
            return why_not(path, around, system) if path and not args["anyway"] else ""

        def why_standing(path: str) -> str:
            # What somebody gives as a setting was checked with the settings.
            try:
                check_directory("lab_folder", path)
            except LabError as error:
                return error.why
            return why(path)

        has = "" if args["folder"] or args["only_own"] else directory_of(args["lab"], uid)
        directory, instead = choose(args["folder"], args["standing"], args["own"], args["only_own"], why_standing, has)
        reason, of_data = why(directory), why(args["data"], system=False)
        cache = args["cache"]
        if reason and cache and Path(os.path.realpath(directory)).is_relative_to(os.path.realpath(cache)):
            raise refusal_of_cache(cache, directory)
        if reason:
            raise refusal(directory, os.path.realpath(directory), reason, args["own"])
        if of_data:
            raise refusal_of_data(args["data"], os.path.realpath(args["data"]), of_data)
        made = args["make"] and directory == args["own"] and not Path(directory).is_dir()
        if made and not self._task.check_mode:
            make(directory, uid, gid)
        data = args["data"] and os.path.realpath(args["data"])
        in_data = bool(data) and Path(os.path.realpath(directory)).is_relative_to(data)
        return {"changed": made, "folder": directory, "made": made, "instead": instead, "in_data": in_data}


def directory_of(lab: str, uid: int) -> str:
    """Return the directory that a user's lab on this computer shares; empty if there is none, or no engine tells."""
    container = server_container(take_inventory(ENGINE_SECONDS, with_images=False), lab) if lab else None
    if container is None or is_of_another(container, uid):
        return ""
    directory = labels_of(container).get(DIRECTORY, "")
    return directory if directory.startswith("/") else ""


def around_of(given: t.Mapping[str, t.Any], uids: t.Iterable[int]) -> Around:
    """Return what must not be shared on this computer, for these users and for what the task was given."""
    at_home = [os.environ.get("HOME", ""), *given["homes"]]
    for uid in uids:
        with contextlib.suppress(KeyError):
            at_home.append(pwd.getpwuid(uid).pw_dir)
    named = [os.environ.get(name, "") for name in XDG]
    for name in (*POINT_TO_KEYS, "DOCKER_HOST"):
        value = os.environ.get(name, "")
        scheme = next((scheme for scheme in SCHEMES if value.startswith(scheme)), "")
        named += value[len(scheme) :].split(":")
    private = _real([*named, given["cache"], *given["private"]])
    return Around(_real(at_home), _real(given["programs"]), private, any_case=sys.platform == "darwin")


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
