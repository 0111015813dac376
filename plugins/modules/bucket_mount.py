# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bucket_mount
short_description: Mount an S3 bucket on a directory
version_added: "0.1.0"
description:
  - Mounts an S3 bucket by FUSE, keeps the mount running, and removes it.
  - Queries the bucket over HTTP before it changes anything, so that a wrong name or endpoint and a missing network are
    told apart within seconds, and a working mount is not replaced by one that cannot work.
  - Keeps no state file. The mount's device name (C(desi-lab:BUCKET:FINGERPRINT)) and the process that serves it tell
    its owner and settings. A mount that this module did not make is never unmounted.
  - Root runs and writes only what root owns. Each part of the path of a program, of the mountpoint's parent and of the
    cache has to belong to root and be writable by nobody else, else the module refuses before it does anything.
extends_documentation_fragment: desi.lab.attributes
attributes:
  check_mode:
    details:
      - Does not query the bucket in check mode.
      - A missing tool is no failure in check mode, as the task that installs it may only have been checked.
  diff_mode:
    support: full
requirements:
  - Linux, root, C(/dev/fuse), and C(rclone) (with C(fusermount3)) or C(mount-s3)
options:
  path:
    description:
      - The absolute path of the mountpoint. It is made if missing, and removed at O(state=unmounted).
      - A directory that is not empty, and a mount of others, are refused.
    type: path
    required: true
  state:
    description:
      - The state of the mount.
      - V(held) is for what something else mounts there. It records that a lab is being made with the mount (O(run),
        O(lab)), and lets it reach containers (O(shared_parent)).
    type: str
    choices: [mounted, unmounted, held]
    default: mounted
  bucket:
    description: The bucket's name, without C(s3://). Required for O(state=mounted).
    type: str
  prefix:
    description: The directory in the bucket to mount; empty for the whole bucket.
    type: str
    default: ""
  endpoint:
    description: The URL of the S3 server, such as V(http://127.0.0.1:8333); empty for Amazon.
    type: str
    default: ""
  region:
    description: The bucket's region.
    type: str
    default: us-west-2
  anonymous:
    description:
      - Whether to read without credentials, as from a public bucket.
      - If V(false), credentials come from the task's environment (C(AWS_*)), from C(~/.aws), or from the instance's
        role. There is no option for keys on purpose.
    type: bool
    default: true
  read_only:
    description: Whether the mount is read-only.
    type: bool
    default: true
  cache:
    description:
      - The cache directory, used by this mount alone; empty for none.
      - It is made if missing, for root alone, and never removed. C(mount-s3) empties it whenever it starts and ends.
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
      - Empty means half of the free disk space at the first mount.
    type: str
    default: ""
  backend:
    description:
      - The tool that mounts.
      - V(auto) takes V(mount-s3) for a bucket at Amazon without O(cache), and V(rclone) otherwise, if installed.
    type: str
    choices: [auto, mount-s3, rclone]
    default: auto
  search:
    description:
      - Directories to search for tools before E(PATH).
      - A tool that the system's packages installed is run in place. Of all others, only the C(rclone) that this
        collection was tested with is used, identified by its SHA-256. It is copied to O(programs), and run there.
    type: list
    elements: path
    default: []
  programs:
    description: Root's directory for the programs that it runs. Programs that no mount needs any more are removed.
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
      - The lab that the mount is for. It is recorded until the next boot, so that a lab that could not be made still
        owns its mount.
    type: str
    default: ""
  used_by:
    description:
      - Labs that run and use the mount. While it works, it is not ended under them. Another O(cache), O(cache_max) or
        O(backend) is an error then, and a newer program is installed with a later mount.
    type: list
    elements: str
    default: []
    version_added: "0.2.0"
  run:
    description:
      - The process of the run that makes a lab with this mount. While it is alive, no other run removes the mount. It
        is set by itself where Ansible runs on the same computer.
    type: int
    default: 0
  network:
    description:
      - The proxies and files of certificate authorities of whoever runs this, by their variables, which sudo drops. It
        is set by itself where Ansible runs on the same computer.
    type: dict
    default: {}
  supervisor:
    description:
      - What keeps the mount running, V(systemd) (a unit, mounted again at boot) or V(process) (a detached shell loop).
      - V(auto) takes V(systemd) where it is the init system.
    type: str
    choices: [auto, systemd, process]
    default: auto
  shared_parent:
    description:
      - Whether the mountpoint's parent has to be in a mount with shared propagation, so that a container that was given
        the parent with C(rslave) sees a bucket that is mounted again.
      - Where it is not, the parent is bound onto itself and shared, which is undone at O(state=unmounted).
    type: bool
    default: true
  timeout:
    description: Seconds to wait for the bucket's answer, and again for the mount.
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

- name: Remove the mount
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
  description: Why this tool was chosen.
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
  description: The device in the mount table (C(mount-s3) shows its own).
  returned: state=mounted
  type: str
cache:
  description: The directory of its cache; empty without one. A mount that was left for O(used_by) may have another one.
  returned: state=mounted
  type: str
cache_max:
  description: The size limit of the cache in bytes; V(0) without a cache.
  returned: state=mounted
  type: int
supervisor:
  description: What keeps the mount running.
  returned: state=mounted
  type: str
  choices: [systemd, process]
unit:
  description: The systemd unit; empty without systemd.
  returned: state=mounted
  type: str
healed:
  description: Whether a dead mount with these settings was replaced.
  returned: success
  type: bool
lazy:
  description: Whether the old mount was in use and was unmounted lazily.
  returned: success
  type: bool
shared_parent:
  description: Whether the parent was in a shared mount V(already), or is V(bound) onto itself.
  returned: state=mounted and shared_parent=true
  type: str
  choices: [already, bound]
cache_left:
  description: The cache of an earlier version that could not be moved; empty if there is none.
  returned: state=mounted
  type: str
held:
  description: The run that is making a lab with this mount, so that it was kept; empty if there is none.
  returned: state=unmounted
  type: str
no_tool:
  description: Whether no tool is installed, so that a container has to mount the bucket. Also returned on failure.
  returned: always
  type: bool
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.network import use_network
from ..module_utils._mount.ensure import ensure_mounted, ensure_unmounted, recorded
from ..module_utils._mount.host import bind_shared, read_mounts
from ..module_utils._mount.mountinfo import needs_shared_bind
from ..module_utils._mount.programs import PROGRAMS
from ..module_utils._mount.spec import check_path
from ..module_utils._mount.tools import NoTool


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
            "used_by": {"type": "list", "elements": "str", "default": []},
            "run": {"type": "int", "default": 0},
            "network": {"type": "dict", "default": {}, "no_log": True},
            "supervisor": {"type": "str", "choices": ["auto", "systemd", "process"], "default": "auto"},
            "shared_parent": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 30},
        },
        required_if=[("state", "mounted", ["bucket"])],
        supports_check_mode=True,
    )
    options, state = module.params, module.params["state"]
    use_network(options["network"])
    try:
        path = check_path(options["path"])
        # The mount table knows no symbolic links; the last part may be a dead mount, which cannot be asked.
        path = str(Path(path).parent.resolve() / Path(path).name)
        if state == "held":
            parent = str(Path(path).parent)
            bind = options["shared_parent"] and needs_shared_bind(read_mounts(), parent)
            with recorded(options, path, module.check_mode):
                if bind and not module.check_mode:
                    bind_shared(parent)
                result = {"changed": bind, "mountpoint": path, "no_tool": False}
        else:
            result = (ensure_mounted if state == "mounted" else ensure_unmounted)(options, path, module.check_mode)
    except NoTool as error:
        if module.check_mode:
            module.exit_json(changed=True, no_tool=True, backend="", reason=error.why)
        module.fail_json(**error.as_result(), no_tool=True)
    except LabError as error:
        module.fail_json(**error.as_result(), no_tool=False)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
