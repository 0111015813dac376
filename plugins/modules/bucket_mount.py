# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bucket_mount
short_description: Mount an S3 bucket on a folder
version_added: "0.1.0"
author: "The DESI Lab contributors (@desi-lab)"
description:
  - Mounts an S3 bucket by FUSE, keeps the mount alive, and takes it away again.
  - Before anything is changed the bucket is asked for one name over HTTP. So a wrong name, a wrong endpoint and a
    network that is down are told apart within seconds, and a mount that works is not given up for one that cannot be.
  - There is no state file. The mount's device name (C(desi-lab:BUCKET:FINGERPRINT)) and the process that serves it say
    whose mount it is and with which settings. What was not made by this module is never unmounted.
  - Root runs and writes only what root owns. Each part of the path of a program, of the mountpoint's folder and of the
    cache has to belong to root and be writable by nobody else, else the module refuses before it does anything.
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  check_mode:
    details:
      - Does not query the bucket in check mode.
      - A missing tool is no failure in check mode, as the task that installs it may only have been checked.
  diff_mode:
    support: full
requirements:
  - Linux, root, C(/dev/fuse), and one of C(rclone) (with C(fusermount3)) and C(mount-s3)
options:
  path:
    description:
      - The absolute path of the mountpoint. It is made if it does not exist, and removed at O(state=unmounted).
      - A folder that is not empty, and a mount that is not ours, are refused.
    type: path
    required: true
  state:
    description:
      - Whether the bucket is to be mounted.
      - V(held) only notes that a lab is being made with the mount (O(run), O(lab)), where something else mounts.
    type: str
    choices: [mounted, unmounted, held]
    default: mounted
  bucket:
    description:
      - The bucket's name, without C(s3://). Required for O(state=mounted).
    type: str
  prefix:
    description:
      - The folder inside the bucket that is to be mounted; empty for the whole bucket.
    type: str
    default: ""
  endpoint:
    description:
      - The address of the S3 server, such as V(http://127.0.0.1:8333); empty for Amazon.
    type: str
    default: ""
  region:
    description:
      - The bucket's region.
    type: str
    default: us-west-2
  anonymous:
    description:
      - Whether to ask without credentials, as for a public bucket.
      - If V(false), credentials come from the task's environment (C(AWS_*)), from C(~/.aws), or from the machine's
        role. There is no option for keys on purpose.
    type: bool
    default: true
  read_only:
    description:
      - Whether the mount is read-only.
    type: bool
    default: true
  cache:
    description:
      - A folder for what was read, used by this mount alone; empty for none.
      - It is made if it does not exist, and never removed. It is root's, and closed to all others.
      - C(mount-s3) empties it whenever it starts and ends.
    type: path
    default: ""
  cache_before:
    description:
      - Where an earlier version kept the cache, such as V(/home/ann/.cache/desi-lab/KEY); empty for nowhere.
      - It is moved to O(cache) where that is safe and both are in one file system, so that nothing is read again.
    type: path
    default: ""
  cache_max:
    description:
      - The cache's largest size, such as V(20GiB). What was read longest ago goes first.
      - Empty means half of what is free, as it was when the bucket was first mounted.
    type: str
    default: ""
  backend:
    description:
      - The tool that mounts.
      - V(auto) takes the first that is installed of V(mount-s3) (for a bucket at Amazon), V(rclone) from 1.65 on,
        and an older V(rclone). With O(cache) a current V(rclone) goes before V(mount-s3), which keeps none.
    type: str
    choices: [auto, mount-s3, rclone]
    default: auto
  search:
    description:
      - Folders in which tools are looked for before E(PATH).
      - A tool that packages of the system have put there is run where it lies. Of all others, only the C(rclone) that
        this collection was tested with is used, told by its SHA-256. It is copied to O(programs), and run there.
    type: list
    elements: path
    default: []
  programs:
    description:
      - The folder for the programs that root runs, which is root's. What no mount needs any more is removed from it.
    type: path
    default: /usr/local/lib/desi-lab
  relay:
    description:
      - The program that stands between C(rclone) and the bucket, as the texts of its files by their relative paths
        (C(files/desi_stream) of role P(desi.lab.data#role)); empty for none. It keeps connections open, requests
        directories and headers ahead, and never mixes two versions of an object.
      - It is installed in O(programs) as one file (a zipapp), and run by a Python of the system, 3.9 or newer. Where
        there is none, the bucket is mounted without a relay, which the module warns of.
      - It is used for buckets that are asked anonymously and only read.
    type: dict
    default: {}
  lab:
    description:
      - The name of the lab that the mount is for. It is written down until the next boot, so that the mount of a lab
        that came to nothing is known to be its own.
    type: str
    default: ""
  run:
    description:
      - The process of the run that makes a lab with this mount. As long as it is alive, another run does not take the
        mount away. It is given by itself where Ansible runs on the same computer.
    type: int
    default: 0
  supervisor:
    description:
      - What keeps the mount alive, V(systemd) (a unit, mounted again at boot) or V(process) (a detached shell loop).
      - V(auto) takes V(systemd) where it runs the machine.
    type: str
    choices: [auto, systemd, process]
    default: auto
  shared_parent:
    description:
      - Whether the mountpoint's parent must be in a mount with shared propagation. A container that was given the
        parent with C(rslave) then sees the bucket again after it was mounted again.
      - Where it is not, the parent is bound onto itself and shared, and that is undone at O(state=unmounted).
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for the bucket's answer, and again for the mount.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Mount the public DESI data
  desi.lab.bucket_mount:
    path: /var/lib/desi-lab/mounts/desidata/.bucket
    bucket: desidata
    cache: /var/cache/desi-lab/desidata
    cache_max: 20GiB
  become: true

- name: Mount a release from a mirror, with the rclone of a virtual environment
  desi.lab.bucket_mount:
    path: /srv/desi/.bucket
    bucket: desidata
    prefix: edr
    endpoint: http://127.0.0.1:8333
    backend: rclone
    search: [/opt/lab/bin]
  become: true

- name: Take it away again
  desi.lab.bucket_mount:
    path: /srv/desi/.bucket
    state: unmounted
  become: true
"""

RETURN = r"""
mountpoint:
  description: The mountpoint, with symbolic links above it resolved.
  returned: success
  type: str
backend:
  description: The tool that mounts; empty if there is none (check mode only).
  returned: state=mounted
  type: str
reason:
  description: Why this tool.
  returned: state=mounted
  type: str
executable:
  description: The tool's path.
  returned: state=mounted
  type: str
version:
  description: The tool's version.
  returned: state=mounted
  type: str
device:
  description: The name under which the mount shows in the mount table (C(mount-s3) shows its own).
  returned: state=mounted
  type: str
cache_max:
  description: The most bytes that the cache may hold; V(0) if there is none.
  returned: state=mounted
  type: int
supervisor:
  description: What keeps the mount alive.
  returned: state=mounted
  type: str
  choices: [systemd, process]
unit:
  description: The systemd unit; empty without systemd.
  returned: state=mounted
  type: str
healed:
  description: Whether a mount with these settings was there, but dead, and was made anew.
  returned: success
  type: bool
lazy:
  description: Whether the old mount was in use, so that it goes only when its last user lets go.
  returned: success
  type: bool
shared_parent:
  description: Whether the parent was in a shared mount V(already), or is V(bound) onto itself.
  returned: state=mounted and shared_parent=true
  type: str
  choices: [already, bound]
cache_left:
  description: The cache of an earlier version that could not be moved and is no longer used; empty if there is none.
  returned: state=mounted
  type: str
held:
  description: Who is making a lab with this mount, in words, so that it was not taken away; empty if nobody is.
  returned: state=unmounted
  type: str
no_tool:
  description: Whether there is no tool, so that a container has to mount the bucket. Also returned by the failure.
  returned: always
  type: bool
"""

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount.cache import require_place, with_size
from ansible_collections.desi.lab.plugins.module_utils._mount.host import find_tools, machine_memory
from ansible_collections.desi.lab.plugins.module_utils._mount.mounter import Mounting
from ansible_collections.desi.lab.plugins.module_utils._mount.programs import PROGRAMS, find_python, relay_command
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import check_path, make_spec
from ansible_collections.desi.lab.plugins.module_utils._mount.state import MountResult, unmount
from ansible_collections.desi.lab.plugins.module_utils._mount.supervisors import make_supervisors
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import DROPPED, NoTool, choose_tool
from ansible_collections.desi.lab.plugins.module_utils._mount.users import Users, alone, users_of

SPEC_OPTIONS = ("bucket", "prefix", "endpoint", "region", "anonymous", "read_only", "cache", "cache_max")


def mounted(module: AnsibleModule, path: str) -> dict[str, Any]:
    """Mount the bucket, and return the module's result."""
    wanted = module.params
    spec = make_spec({name: wanted[name] for name in SPEC_OPTIONS})
    path = check_path(path, spec.cache)
    supervisor, supervisors = make_supervisors(wanted["supervisor"], path)
    tools, refused = find_tools(wanted["search"], wanted["backend"], wanted["programs"])
    if refused and not tools:
        raise refused[0]
    known = [found for found in (one.settings() for one in supervisors) if found is not None]
    dropped = bool(known) and known[0].get("backend") == DROPPED
    try:
        tool, reason = choose_tool(wanted["backend"], spec, tools)
    except NoTool:
        if dropped and not module.check_mode:
            # A container is going to mount there.
            unmount(path, supervisors, shared_parent=False, timeout=wanted["timeout"], check_mode=False)
        raise
    if dropped:
        module.warn(f"The bucket was mounted with s3fs, which is no longer used. {tool.title} mounts it from now on.")
    python = find_python() if wanted["relay"] else ""
    if wanted["relay"] and not python:
        module.warn("There is no Python of the system, 3.9 or newer: the bucket is mounted without the relay.")
    relay = relay_command(wanted["relay"], python, wanted["programs"])
    tool = replace(tool, relay=relay, memory=machine_memory())
    spec = with_size(spec, known[0] if known else None, wanted["cache_before"])
    work = Mounting(
        path=path,
        spec=spec,
        tool=tool,
        supervisor=supervisor,
        supervisors=supervisors,
        shared_parent=wanted["shared_parent"],
        timeout=wanted["timeout"],
        environ=os.environ,
        check_mode=module.check_mode,
        programs=wanted["programs"],
        relay=wanted["relay"],
        cache_before=wanted["cache_before"],
    )
    with held(module, path):
        outcome = work.run()
    if outcome.cache_left:
        module.warn(
            f"What was streamed before lies at {outcome.cache_left} and is no longer used. It could not be moved to "
            f"{spec.cache}. To remove it: sudo rm -r {outcome.cache_left}"
        )
    return {
        **result(module, outcome),
        "cache_left": outcome.cache_left,
        # Not named path: Ansible would stat that, and wait for ever if the mount hangs.
        "mountpoint": path,
        "backend": tool.backend,
        "reason": reason,
        "executable": tool.path,
        "version": ".".join(str(part) for part in tool.version),
        "device": work.device,
        "cache_max": spec.cache_max,
        "supervisor": supervisor.kind,
        "unit": supervisor.unit,
    }


@contextmanager
def held(module: AnsibleModule, path: str) -> Iterator[None]:
    """Mount while nobody else mounts or unmounts there, and note whom it is for."""
    if module.check_mode or os.geteuid() != 0:
        yield
        return
    with alone(path) as users:
        before = Users(list(users.runs), list(users.labs))
        users.add(module.params["run"], module.params["lab"], datetime.datetime.now().astimezone())
        try:
            yield
        except Exception:
            users.runs, users.labs = before.runs, before.labs
            raise


def unmounted(module: AnsibleModule, path: str) -> dict[str, Any]:
    """Take the mount away unless another run is making a lab with it, and return the module's result."""
    wanted = module.params
    require_place(str(Path(path).parent))
    supervisors = make_supervisors("auto", path)[1]

    def work() -> MountResult:
        return unmount(path, supervisors, wanted["shared_parent"], wanted["timeout"], module.check_mode)

    def end(users: Users) -> dict[str, Any]:
        others = users.others(wanted["run"])
        if others:
            words = others[0].words(datetime.datetime.now().astimezone())
            return {
                **result(module, MountResult(changed=False, before={}, after={})),
                "mountpoint": path,
                "held": words,
            }
        ended = {**result(module, work()), "mountpoint": path, "held": ""}
        users.runs, users.labs = [], []
        return ended

    if module.check_mode or os.geteuid() != 0:
        return end(users_of(path))
    with alone(path) as users:
        return end(users)


def result(module: AnsibleModule, outcome: MountResult) -> dict[str, Any]:
    if outcome.lazy:
        module.warn(
            "The old mount was in use: it was unmounted lazily, and its readers have to open their files again."
        )
    shown: dict[str, Any] = {
        "changed": outcome.changed,
        "healed": outcome.healed,
        "lazy": outcome.lazy,
        "no_tool": False,
    }
    if outcome.shared_parent:
        shown["shared_parent"] = outcome.shared_parent
    if module._diff:
        shown["diff"] = {"before": outcome.before, "after": outcome.after}
    return shown


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["mounted", "unmounted", "held"], "default": "mounted"},
            "bucket": {"type": "str"},
            "prefix": {"type": "str", "default": ""},
            "endpoint": {"type": "str", "default": ""},
            "region": {"type": "str", "default": "us-west-2"},
            "anonymous": {"type": "bool", "default": True},
            "read_only": {"type": "bool", "default": True},
            "cache": {"type": "path", "default": ""},
            "cache_before": {"type": "path", "default": ""},
            "cache_max": {"type": "str", "default": ""},
            "backend": {"type": "str", "choices": ["auto", "mount-s3", "rclone"], "default": "auto"},
            "search": {"type": "list", "elements": "path", "default": []},
            "programs": {"type": "path", "default": PROGRAMS},
            "relay": {"type": "dict", "default": {}},
            "lab": {"type": "str", "default": ""},
            "run": {"type": "int", "default": 0},
            "supervisor": {"type": "str", "choices": ["auto", "systemd", "process"], "default": "auto"},
            "shared_parent": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 30},
        },
        required_if=[("state", "mounted", ["bucket"])],
        supports_check_mode=True,
    )
    try:
        path = check_path(module.params["path"])
        # The mount table knows no symbolic links; the last part may be a dead mount, which cannot be asked.
        path = str(Path(path).parent.resolve() / Path(path).name)
        if module.params["state"] == "held":
            with held(module, path):
                module.exit_json(changed=False, mountpoint=path, no_tool=False)
        shown = mounted(module, path) if module.params["state"] == "mounted" else unmounted(module, path)
    except NoTool as error:
        if module.check_mode:
            module.exit_json(changed=True, no_tool=True, backend="", reason=error.why)
        module.fail_json(**error.as_result(), no_tool=True)
    except LabError as error:
        module.fail_json(**error.as_result(), no_tool=False)
    module.exit_json(**shown)


if __name__ == "__main__":
    main()
