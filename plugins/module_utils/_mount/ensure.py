# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ensure that a bucket is mounted or unmounted as bucket_mount's options say, one run at a time."""

from __future__ import annotations

import contextlib
import datetime
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._common.errors import LabError
from .._common.humanize import parse_size, size_text
from .._common.text import name_option, setting_option, shell_path
from .cache import require_safe_path, with_size
from .host import find_tools, machine_memory
from .mounter import Mounting
from .programs import find_python, relay_command
from .spec import MountSpec, check_path, make_spec
from .state import MountResult, unmount
from .supervisors import make_supervisors
from .tools import DROPPED, NoTool, choose_tool
from .users import Users, alone, users_of

SPEC_OPTIONS = ("bucket", "prefix", "endpoint", "region", "anonymous", "read_only", "cache", "cache_max")
SOURCE = ("bucket", "prefix", "endpoint", "region")


def ensure_mounted(options: Mapping[str, Any], path: str, check_mode: bool) -> dict[str, Any]:
    """Mount the bucket, and return the module's result."""
    warnings = []
    spec = make_spec({name: options[name] for name in SPEC_OPTIONS})
    path = check_path(path, spec.cache)
    supervisor, supervisors = make_supervisors(options["supervisor"], path)
    tools, refused = find_tools(options["search"], options["backend"], options["programs"])
    if refused and not tools:
        raise refused[0]
    known = next((found for found in (one.settings() for one in supervisors) if found is not None), None)
    dropped = bool(known) and known.get("backend") == DROPPED
    try:
        tool, reason = choose_tool(options["backend"], spec, tools)
    except NoTool:
        if dropped and not check_mode:
            # A container is going to mount there.
            unmount(path, supervisors, shared_parent=False, timeout=options["timeout"], check_mode=False)
        raise
    python = find_python() if options["relay"] else ""
    if options["relay"] and not python:
        warnings.append("There is no Python of the system, 3.9 or newer: the bucket is mounted without the relay.")
    relay = relay_command(options["relay"], python, options["programs"])
    tool = replace(tool, relay=relay, memory=machine_memory())
    spec = with_size(spec, known, options["cache_before"])
    work = Mounting(
        path=path,
        spec=spec,
        tool=tool,
        supervisor=supervisor,
        supervisors=supervisors,
        shared_parent=options["shared_parent"],
        timeout=options["timeout"],
        environ=os.environ,
        check_mode=check_mode,
        programs=options["programs"],
        relay=options["relay"],
        cache_before=options["cache_before"],
        in_use=why_in_use(options, spec, known) if known else None,
        kept=bool(options["used_by"] and known) and all(known.get(name) == getattr(spec, name) for name in SOURCE),
    )
    with recorded(options, path, check_mode):
        made = work.run()
    if dropped and made.changed:
        warnings.append(
            f"The bucket was mounted with s3fs, which is no longer used. {tool.title} mounts it from now on."
        )
    has = known if known and work.is_left else {"backend": tool.backend, "cache": spec.cache}
    if made.cache_left:
        warnings.append(
            f"What was streamed before lies at {made.cache_left} and is no longer used. It could not be moved to "
            f"{spec.cache}. To remove it: sudo rm -r {shell_path(made.cache_left)}"
        )
    return {
        **_result(made, path, warnings),
        "cache_left": made.cache_left,
        "backend": has["backend"],
        "cache": has.get("cache") or "",
        "reason": reason,
        "executable": tool.path,
        "version": ".".join(str(part) for part in tool.version),
        "device": work.device,
        "cache_max": parse_size(str(has["cache_max"])) if has.get("cache_max") else spec.cache_max,
        "supervisor": supervisor.kind,
        "unit": supervisor.unit,
    }


def why_in_use(options: Mapping[str, Any], spec: MountSpec, known: Mapping[str, Any]) -> LabError | None:
    """Return why a mount must not be ended, if labs that run use it and it was made with another setting."""
    backend, cache, most = (str(known.get(name) or "") for name in ("backend", "cache", "cache_max"))
    asked = "" if options["backend"] == "auto" else options["backend"]
    # Where nobody gave a folder, another one is that of an earlier version.
    moved = cache == spec.cache or bool(options["cache_before"])
    # What is worked out by the room on the disk, nobody has asked for.
    size = size_text(spec.cache_max) if options["cache_max"] else most
    rows = [
        ("lab_mount_backend", backend, asked or backend),
        ("lab_cache", posixpath.dirname(cache), posixpath.dirname(cache if moved else spec.cache)),
        ("lab_cache_max", most, size),
    ]
    for setting, was, now in rows if options["used_by"] else []:
        if was != now:
            lab = options["used_by"][0]
            # The folder of an earlier version, in somebody's home, would be refused.
            same = f"Leave {setting} out" if setting == "lab_cache" else f"Use {setting_option(setting, was)}"
            return LabError(
                f"The bucket is mounted with {setting}={was}, and {now} would end that mount.",
                f"The lab {lab} runs and reads from it: files that are open in it would fail.",
                f"{same}, or stop that lab first: ./lab stop{name_option(lab)}",
            )
    return None


def ensure_unmounted(options: Mapping[str, Any], path: str, check_mode: bool) -> dict[str, Any]:
    """Remove the mount unless another run is making a lab with it, and return the module's result."""
    require_safe_path(str(Path(path).parent))
    supervisors = make_supervisors("auto", path)[1]

    def end(users: Users) -> dict[str, Any]:
        others = users.others(options["run"])
        if others:
            words = others[0].words(datetime.datetime.now().astimezone())
            return {**_result(MountResult(changed=False, before={}, after={}), path), "held": words}
        done = unmount(path, supervisors, options["shared_parent"], options["timeout"], check_mode)
        users.runs, users.labs = [], []
        return {**_result(done, path), "held": ""}

    if check_mode or os.geteuid() != 0:
        return end(users_of(path))
    with alone(path) as users:
        return end(users)


@contextlib.contextmanager
def recorded(options: Mapping[str, Any], path: str, check_mode: bool) -> Iterator[None]:
    """Lock the mountpoint, and record the run and the lab that need it; both are dropped on an error."""
    if check_mode or os.geteuid() != 0:
        yield
        return
    with alone(path) as users:
        before = Users(list(users.runs), list(users.labs))
        users.add(options["run"], options["lab"], datetime.datetime.now().astimezone())
        try:
            yield
        except Exception:
            users.runs, users.labs = before.runs, before.labs
            raise


def _result(made: MountResult, path: str, warnings: list[str] | None = None) -> dict[str, Any]:
    lazy = "The old mount was in use: it was unmounted lazily, and its readers have to open their files again."
    return {
        "changed": made.changed,
        "healed": made.healed,
        "lazy": made.lazy,
        "no_tool": False,
        # Not named path: Ansible would stat that, and wait forever if the mount hangs.
        "mountpoint": path,
        "warnings": [*(warnings or []), *([lazy] if made.lazy else [])],
        "diff": {"before": made.before, "after": made.after},
        **({"shared_parent": made.shared_parent} if made.shared_parent else {}),
    }
